"""What is taken of a small set."""

from __future__ import annotations

import pytest

from core.data.enough import enough


@pytest.mark.parametrize(
    ("available", "classes", "images"),
    [(320, 10, 320), (2_000, 10, 500), (9_000, 10, 500), (3_000, 43, 500), (3_000, 100, 1_000), (700, 100, 700)],
)
def test_of_a_small_set_enough_is_taken(available: int, classes: int, images: int) -> None:
    assert enough(available, classes) == images
