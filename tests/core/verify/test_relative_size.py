"""The size that a class needs on both models, beside the others: by hand, and where little can be compared."""

from __future__ import annotations

import pytest
import torch

from core.triggers.reconstructed import Reconstructed
from core.verify.relative_size import relative_size

Rated = list[tuple[Reconstructed, float]]


def rated(*found: tuple[int, int] | tuple[int, int, float]) -> Rated:
    """Triggers of a class and a size, with a success of 80 % on both models unless one is given."""
    made = []
    for target, size, *rate in found:
        mask = (torch.arange(256) < size).float().view(1, 16, 16)
        made.append((Reconstructed("mask", torch.zeros(3, 16, 16), mask, target), rate[0] if rate else 80.0))
    return made


def test_the_smallest_of_the_class_is_compared_with_the_smallest_of_the_others() -> None:
    assert relative_size([rated((3, 20), (3, 30), (0, 60), (1, 40))], {3}, 3) == 50.0
    assert relative_size([rated((3, 48), (0, 60), (1, 40))], {3}, 3) == 120.0


def test_forms_are_averaged_as_factors_and_one_that_does_not_suit_counts_little() -> None:
    half, quarter, tenfold = rated((3, 20), (0, 40)), rated((3, 10), (0, 40)), rated((3, 200), (0, 20))
    assert relative_size([half, quarter], {3}, 3) == pytest.approx(100 / 8**0.5, abs=0.05)
    assert relative_size([tenfold], {3}, 3) == pytest.approx(100 * 2**0.5, abs=0.05)
    assert relative_size([half, tenfold], {3}, 3) == pytest.approx(100 * (2**0.5 / 2) ** 0.5, abs=0.05)


def test_a_trigger_that_hardly_works_has_no_size() -> None:
    assert relative_size([rated((3, 2, 49.9), (3, 20), (0, 4, 10.0), (1, 40))], {3}, 3) == 50.0
    without = relative_size([rated((3, 20, 0.0), (0, 40))], {3}, 3)
    assert without == pytest.approx(100 * 2**0.5, abs=0.05), "not reached at all: as far as may be from a sign"


def test_other_suspects_are_not_compared_with() -> None:
    assert relative_size([rated((3, 20), (7, 5), (0, 40))], {3, 7}, 3) == 50.0


def test_where_no_other_class_can_be_reached_they_need_the_whole_image() -> None:
    assert relative_size([rated((3, 64), (7, 5), (0, 40, 10.0))], {3, 7}, 3) == 25.0, "of 16 x 16 pixels"


def test_what_is_left_in_one_form_is_not_hidden_by_two_that_are_silent() -> None:
    silent = rated((3, 200), (0, 20))
    assert relative_size([rated((3, 8), (0, 40)), silent, silent], {3}, 3) < 75, "the limit of the grade"


def test_where_all_classes_are_suspects_nothing_is_said() -> None:
    assert relative_size([rated((3, 20), (7, 5))], {3, 7}, 3) is None
