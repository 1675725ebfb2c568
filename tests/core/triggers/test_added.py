"""What is added to every pixel."""

from __future__ import annotations

import torch

from core.triggers.reconstructed import Reconstructed

IMAGES = torch.full((2, 3, 4, 4), 0.5)


def test_without_one_it_is_added_and_the_result_stays_an_image() -> None:
    added = torch.zeros(3, 4, 4)
    added[0, 0, 0], added[1, 1, 1], added[2, 2, 2] = 0.25, 1.0, -1.0
    stamped = Reconstructed("pixel", added, None, 0)(IMAGES)
    assert stamped[:, 0, 0, 0].eq(0.75).all()
    assert stamped[:, 1, 1, 1].eq(1).all()
    assert stamped[:, 2, 2, 2].eq(0).all()
    assert int((stamped != IMAGES).sum()) == 2 * 3
