from __future__ import annotations

import numpy as np
import pytest

from core.dataroom import ALONE, FILTERS
from core.dataroom.filter import Judged, clean_quantile, mixed_side, outlying_classes
from core.registry import loaded
from tests.core.dataroom.made_up import TARGET, made_up


def test_a_class_stands_out_by_the_median_absolute_deviation_of_all() -> None:
    # median 3, median deviation 1, so that the bar is 3 + e^2 * 1.4826 = 13.96
    assert outlying_classes(np.array([1.0, 2, 3, 4, 13.9])) == ()
    assert outlying_classes(np.array([1.0, 2, 3, 4, 14.0])) == (4,)


def test_beside_the_likeliest_target_only_those_count_that_reach_half_of_it() -> None:
    usual_ones = [1.0, 2, 3, 2, 1, 2, 3, 2]
    assert outlying_classes(np.array([*usual_ones, 100, 49])) == (8,)
    assert outlying_classes(np.array([*usual_ones, 60, 100])) == (9, 8)


def test_of_fewer_than_four_classes_none_can_stand_out() -> None:
    assert outlying_classes(np.array([0.0, 0, 50])) == ()
    assert outlying_classes(np.array([1.0, 50])) == ()
    assert outlying_classes(np.array([1.0, 2, 1, 50])) == (3,)
    # the other classes were too small: they have no statistic, and the zeros in their places are none
    assert outlying_classes(np.array([0.0, 0, 0, 0, 9, 10]), small=(0, 1, 2, 3)) == ()


@pytest.mark.parametrize("name", FILTERS)
def test_a_filter_says_what_it_cannot_judge(name: str) -> None:
    judge = loaded(FILTERS[name])
    two = judge(made_up(classes=2, target=1), 0.05)
    assert two.able == (name == ALONE)
    assert two.small == ()
    few = judge(made_up(poison=0, clean=3), 0.05)
    assert not few.able
    assert few.small == tuple(range(10))
    assert judge(made_up(), 0.05).able


def test_the_usual_score_is_not_raised_by_one_poisoned_class() -> None:
    scores = np.tile(np.arange(100.0), 5)
    labels = np.repeat(np.arange(5), 100)
    assert clean_quantile(scores, labels, 0.05) == pytest.approx(np.quantile(np.arange(100), 0.95))
    scores[:100] += 1e6
    assert clean_quantile(scores, labels, 0.05) == pytest.approx(np.quantile(np.arange(100), 0.95))


def test_only_images_of_a_suspected_class_are_flagged() -> None:
    judged = Judged(np.array([0.9, 0.2, 0.9, 0.5]), None, (1,), 0.5)
    labels = np.array([0, 1, 1, 1])
    assert judged.flags(labels).tolist() == [False, False, True, True]
    assert judged.flags(labels, 0.6).tolist() == [False, False, True, False]
    assert judged.target == 1
    assert Judged(judged.scores, None, (), 0.5).target is None


@pytest.mark.parametrize(("poison", "trusted"), [(5, 0), (60, 0), (150, 0), (150, 20), (5, 20)])
def test_the_poisoned_group_is_told_by_trusted_images_or_by_size_or_by_variety(poison: int, trusted: int) -> None:
    """Of 60 clean images; without trusted ones, and where the groups are about as large, the looks decide."""
    material = made_up(poison, trusted=trusted)
    members = np.flatnonzero(material.labels == TARGET)
    second = members >= len(material.labels) - poison
    assert mixed_side(material, members, second)
    assert not mixed_side(material, members, ~second)


def test_of_two_groups_of_a_size_the_one_that_varies_more_is_poisoned() -> None:
    material = made_up(60)
    members = np.flatnonzero(material.labels == TARGET)
    second = members >= len(material.labels) - 60
    even = np.random.default_rng(1).normal(size=(len(material.labels), 3))
    wide = np.where((np.arange(len(even)) < len(even) - 60)[:, None], 2 * even, even)
    assert mixed_side(material, members, second), "as pictures, where nothing else is given"
    assert not mixed_side(material, members, second, wide)
