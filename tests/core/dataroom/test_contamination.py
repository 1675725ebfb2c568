from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from core.dataroom import contamination
from tests.core.dataroom.made_up import CLASSES, TARGET, made_up, poisoned


def test_the_statistic_is_twice_the_log_likelihood_ratio_of_two_groups_against_one() -> None:
    rng = np.random.default_rng(1)
    points = rng.normal(size=(40, 3))
    second = rng.random(40) < 0.4

    def likelihood(group: np.ndarray) -> float:
        return float(multivariate_normal(group.mean(axis=0), np.eye(3)).logpdf(group).sum())

    expected = 2 * (likelihood(points[second]) + likelihood(points[~second]) - likelihood(points)) / 40
    assert contamination.ratio(points, second) == pytest.approx(expected)


def test_two_groups_are_untangled_however_unequal() -> None:
    rng = np.random.default_rng(2)
    for first, other in ((50, 50), (90, 10), (20, 80)):
        points = np.concatenate([rng.normal(size=(first, 5)), rng.normal(size=(other, 5)) + 6])
        second = contamination.split(points)
        assert len({bool(one) for one in second[:first]}) == len({bool(one) for one in second[first:]}) == 1
        assert second[0] != second[-1]


def test_whitening_makes_the_variation_within_classes_a_unit() -> None:
    points = contamination.whitened(made_up(poison=0, clean=400), 0)
    labels = np.repeat(np.arange(10), 400)
    residue = np.concatenate([points[labels == one] - points[labels == one].mean(axis=0) for one in range(1, 10)])
    np.testing.assert_allclose(np.cov(residue.T), np.eye(12), atol=0.06)


@pytest.mark.parametrize(("poison", "trusted"), [(15, 0), (60, 0), (90, 0), (15, 20), (90, 20)])
def test_poison_is_found_even_where_it_is_most_of_its_class(poison: int, trusted: int) -> None:
    material = made_up(poison, trusted=trusted)
    judged = contamination.judge(material, 0.05)
    flags, truth = judged.flags(material.labels), poisoned(material)
    assert judged.suspected == (TARGET,)
    assert flags[truth].mean() >= 0.98
    assert flags[~truth].mean() <= 0.02


def test_a_clean_set_has_no_suspected_class() -> None:
    for trusted in (0, 20):
        material = made_up(poison=0, trusted=trusted)
        judged = contamination.judge(material, 0.05)
        assert judged.suspected == ()
        assert not judged.flags(material.labels).any()


def test_groups_that_the_trusted_images_come_from_as_well_are_no_poison() -> None:
    rng = np.random.default_rng(3)
    points = np.concatenate([rng.normal(size=(60, 4)), rng.normal(size=(40, 4)) + 9])
    second = np.arange(100) >= 60
    assert contamination.not_shared(points, second, points[::5]) == pytest.approx(0.0)
    assert contamination.not_shared(points, second, points[:20]) == 1.0
    assert contamination.not_shared(points, second, points[:0]) == 1.0


def test_scores_are_standard_deviations_of_the_clean_group() -> None:
    rng = np.random.default_rng(4)
    points = np.concatenate([3 * rng.normal(size=(4000, 1)), 3 * rng.normal(size=(1000, 1)) + 60])
    places, middle = contamination.along(points, np.arange(5000) >= 4000)
    assert places[:4000].std() == pytest.approx(1, abs=0.05)
    assert places[4000:].mean() == pytest.approx(20, abs=0.6)
    assert middle == pytest.approx(10, abs=0.3)
    assert (places[:4000] >= 1.645).mean() == pytest.approx(0.05, abs=0.012)


def test_a_handful_of_images_is_not_judged() -> None:
    material = made_up(poison=0, clean=9)
    judged = contamination.judge(material, 0.05)
    assert not judged.scores.any()
    assert judged.target is None


@pytest.mark.parametrize("apart", [2.0, 3.0, 8.0])
def test_one_threshold_lets_off_no_image_on_the_poisoned_side_of_any_class(apart: float) -> None:
    material = made_up(60, apart=apart)
    judged = contamination.judge(material, 0.05)
    for one in range(CLASSES):
        members = material.labels == one
        second = contamination.split(contamination.whitened(material, one)[members])
        flags = replace(judged, suspected=(one,)).flags(material.labels)[members]
        others = flags[~second] if flags[second].all() else flags[second]
        assert flags[second].all() or flags[~second].all()
        assert others.mean() < 0.2, "a twentieth of the clean side is aimed at"
