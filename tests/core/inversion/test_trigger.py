"""Putting a reconstructed trigger into images."""

from __future__ import annotations

import torch

from core.inversion.trigger import Reconstructed

IMAGES = torch.full((2, 3, 4, 4), 0.5)


def test_under_a_mask_the_pattern_covers() -> None:
    mask = torch.zeros(1, 4, 4)
    mask[0, 1, 2] = 1.0
    stamped = Reconstructed("mask", torch.zeros(3, 4, 4), mask, 0)(IMAGES)
    assert stamped[:, :, 1, 2].eq(0).all()
    assert int((stamped != IMAGES).sum()) == 2 * 3


def test_without_one_it_is_added_and_the_result_stays_an_image() -> None:
    added = torch.zeros(3, 4, 4)
    added[0, 0, 0], added[1, 1, 1], added[2, 2, 2] = 0.25, 1.0, -1.0
    stamped = Reconstructed("pixel", added, None, 0)(IMAGES)
    assert stamped[:, 0, 0, 0].eq(0.75).all()
    assert stamped[:, 1, 1, 1].eq(1).all()
    assert stamped[:, 2, 2, 2].eq(0).all()
    assert int((stamped != IMAGES).sum()) == 2 * 3


def test_it_takes_the_type_of_the_images() -> None:
    trigger = Reconstructed("pixel", torch.zeros(3, 4, 4), None, 0)
    assert trigger(IMAGES.double()).dtype == torch.float64
