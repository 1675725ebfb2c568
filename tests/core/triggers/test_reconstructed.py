"""Putting a reconstructed trigger into images."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from core.triggers import FORMS as PLACES
from core.triggers import MASKED
from core.triggers.kept import FORMS, KeptTriggers
from core.triggers.reconstructed import Reconstructed
from core.triggers.stamps import random_fields

IMAGES = torch.full((2, 3, 4, 4), 0.5)


def test_its_size_is_that_of_the_mask_or_of_the_largest_channel() -> None:
    mask = torch.full((1, 4, 4), 0.25)
    assert Reconstructed("mask", torch.ones(3, 4, 4), mask, 0).size == 4
    added = torch.zeros(3, 4, 4)
    added[0, 0, 0], added[1, 0, 0], added[2, 3, 3] = 0.5, -1.0, 0.25
    assert Reconstructed("pixel", added, None, 0).size == 1.25
    assert Reconstructed("pixel", torch.full((3, 4, 4), torch.nan), None, 0).size == torch.inf


def test_it_takes_the_type_of_the_images() -> None:
    trigger = Reconstructed("pixel", torch.zeros(3, 4, 4), None, 0)
    assert trigger(IMAGES.double()).dtype == torch.float64


@pytest.mark.parametrize("size", [(8, 8), (9, 16)])
@pytest.mark.parametrize("form", FORMS)
def test_what_pages_show_is_what_the_model_sees(form: str, size: tuple[int, int]) -> None:
    generator = torch.Generator().manual_seed(0)
    image, pattern, mask = (torch.rand(c, *size, generator=generator) for c in (3, 3, 1))
    if form == "warp":
        pattern = torch.cat([random_fields(1, size, generator)[0], torch.zeros(1, *size)])
    seen = Reconstructed(form, pattern, mask if PLACES[form] == MASKED else None, 0)(image[None])[0]
    kept = KeptTriggers(
        np.array([FORMS.index(form)]), np.array([0]), np.ones(1), mask.numpy()[None], pattern.numpy()[None]
    )
    shown = kept.on(image.permute(1, 2, 0).numpy()).clip(0, 1)
    assert np.allclose(shown, seen.permute(1, 2, 0).numpy(), atol=1e-5)
    for part in (kept.mask, kept.pattern):
        assert part.shape[1:] == size
        assert 0 <= part.min() <= part.max() <= 1
