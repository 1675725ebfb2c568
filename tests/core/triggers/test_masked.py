"""A pattern under a mask."""

from __future__ import annotations

import torch

from core.triggers.reconstructed import Reconstructed

IMAGES = torch.full((2, 3, 4, 4), 0.5)


def test_under_a_mask_the_pattern_covers() -> None:
    mask = torch.zeros(1, 4, 4)
    mask[0, 1, 2] = 1.0
    stamped = Reconstructed("mask", torch.zeros(3, 4, 4), mask, 0)(IMAGES)
    assert stamped[:, :, 1, 2].eq(0).all()
    assert int((stamped != IMAGES).sum()) == 2 * 3
