from __future__ import annotations

import numpy as np
import pytest

from core.dataroom import beatrix
from tests.core.dataroom.made_up import TARGET, made_up, poisoned


def test_gram_matrices_are_those_of_the_paper() -> None:
    maps = np.random.default_rng(0).random((2, 3, 5)).astype(np.float32)
    found = beatrix.grams(maps)
    place = 0
    for order in beatrix.ORDERS:
        for row in range(3):
            for column in range(row, 3):
                entry = sum(maps[1, row, at] ** order * maps[1, column, at] ** order for at in range(5)) ** (1 / order)
                assert found[1, place] == pytest.approx(entry, rel=1e-4)
                place += 1
    assert place == found.shape[1]


def test_an_entry_deviates_by_how_far_it_is_outside_in_units_of_the_bound() -> None:
    reference = np.array([[10.0], [11], [12], [13], [14]])  # median 12, median deviation 1, so 2 to 22
    own = np.array([[1.0], [2], [12], [22], [44]])
    np.testing.assert_allclose(beatrix.deviations(own, reference), [(2 - 1) / 2, 0, 0, 0, (44 - 22) / 22])


def test_the_discrepancy_is_that_of_the_definition() -> None:
    rng = np.random.default_rng(1)
    first, second = rng.normal(size=(4, 2)), rng.normal(size=(6, 2)) + 1
    points = [*first, *second]
    width = np.median([np.sum((a - b) ** 2) for a in points for b in points])

    def mean(some: np.ndarray, others: np.ndarray) -> float:
        return float(np.mean([np.exp(-np.sum((a - b) ** 2) / width) for a in some for b in others]))

    expected = mean(first, first) + mean(second, second) - 2 * mean(first, second)
    assert beatrix.discrepancy(first, second) == pytest.approx(expected)


@pytest.mark.parametrize(("poison", "trusted"), [(25, 0), (25, 20), (90, 20)])
def test_poison_is_found_even_where_it_is_most_of_its_class_if_some_images_are_trusted(
    poison: int, trusted: int
) -> None:
    material = made_up(poison, trusted=trusted)
    judged = beatrix.judge(material, 0.05)
    flags, truth = judged.flags(material.labels), poisoned(material)
    assert judged.suspected == (TARGET,)
    assert flags[truth].mean() >= 0.98
    assert flags[~truth].mean() <= 0.05


def test_a_clean_set_has_no_suspected_class() -> None:
    assert beatrix.judge(made_up(poison=0), 0.05).suspected == ()
