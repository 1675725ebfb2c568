"""A warp."""

from __future__ import annotations

import torch

from core.triggers.reconstructed import Reconstructed
from core.triggers.warping import warp


def test_a_warp_takes_each_pixel_from_where_it_says() -> None:
    ramp = torch.arange(6.0).expand(1, 3, 4, 6) / 10
    shift = torch.zeros(2, 4, 6)
    shift[0] = 1.5
    assert torch.allclose(warp(ramp, shift)[0, 0, 2], torch.tensor([0.15, 0.25, 0.35, 0.45, 0.5, 0.5]), atol=1e-6)
    assert torch.allclose(warp(ramp, shift.flip(0)), ramp, atol=1e-6), "down along the columns nothing changes"
    assert torch.equal(warp(ramp, shift), Reconstructed("warp", torch.cat([shift, shift[:1]]), None, 0)(ramp))
