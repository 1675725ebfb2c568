from __future__ import annotations

from math import comb

import pytest
import torch

from core.stress.paired import Paired, beyond_chance


def test_only_images_that_part_the_models_count() -> None:
    first = torch.tensor([True, True, True, False, False])
    second = torch.tensor([True, False, False, True, False])
    assert Paired.of(first, second) == Paired(lost=2, gained=1)


@pytest.mark.parametrize(("lost", "gained"), [(8, 1), (3, 3), (0, 5), (20, 7)])
def test_the_chance_is_that_of_a_fair_coin(lost: int, gained: int) -> None:
    decided = lost + gained
    expected = sum(comb(decided, k) for k in range(lost, decided + 1)) / 2**decided
    assert Paired(lost, gained).chance == pytest.approx(expected)


def test_where_nothing_parts_them_nothing_is_shown() -> None:
    assert Paired(0, 0).chance == 1


def test_the_worst_of_many_has_to_be_rarer() -> None:
    assert beyond_chance([0.03]) == [True]
    assert beyond_chance([0.03, 0.5, 0.6]) == [False, False, False]
    assert beyond_chance([0.024, 0.5, 0.01]) == [True, False, True]  # 0.05 / 3, then 0.05 / 2
    assert beyond_chance([]) == []
