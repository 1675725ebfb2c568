from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from core.dataroom import contamination
from core.dataroom.filter import Material
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
    material = made_up(poison=0, clean=400)
    points = contamination.whitened(material, 0, contamination.both_depths(material))
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


def divided(material: Material) -> Material:
    """Each class comes from two groups by nature, more or less far apart; so do its trusted images."""
    features, trusted = material.features.copy(), material.trusted.copy()
    for points, labels in ((features, material.labels), (trusted, material.trusted_labels)):
        for one in range(CLASSES):
            members = np.flatnonzero(labels == one)
            points[members[: len(members) // 2], one] += 5 + one
    return replace(material, features=features, trusted=trusted)


def test_a_division_that_the_trusted_images_have_too_is_no_poison() -> None:
    assert contamination.judge(divided(made_up(poison=0, trusted=30)), 0.05).suspected == ()


def test_poison_is_found_beside_a_division_that_the_trusted_images_have_too() -> None:
    material = divided(made_up(poison=40, trusted=30))
    truth = poisoned(material)
    judged = contamination.judge(material, 0.05)
    flags = judged.flags(material.labels)
    assert judged.suspected == (TARGET,)
    assert flags[truth].mean() >= 0.95
    assert flags[~truth].mean() <= 0.02
    unknown = contamination.judge(replace(material, trusted_labels=np.full(300, -1)), 0.05)
    assert TARGET not in unknown.suspected


def test_poison_that_the_last_layer_does_not_show_is_found_in_an_earlier_one() -> None:
    material = made_up(poison=40, trusted=30)
    rng = np.random.default_rng(5)
    hidden = rng.normal(size=material.features.shape), rng.normal(size=material.trusted.shape)
    hidden[0][:, :10] += 4 * np.eye(10)[material.labels]
    hidden[1][:, :10] += 4 * np.eye(10)[material.trusted_labels]
    blind = replace(material, features=hidden[0], trusted=hidden[1])
    assert contamination.judge(blind, 0.05).suspected == ()
    seeing = replace(blind, earlier=material.features, trusted_earlier=material.trusted)
    judged = contamination.judge(seeing, 0.05)
    assert judged.suspected == (TARGET,)
    assert judged.flags(material.labels)[poisoned(material)].mean() >= 0.98


@pytest.mark.parametrize(("images", "dims"), [(30, 12), (60, 128), (400, 12), (400, 128)])
def test_what_a_split_reaches_by_chance_is_that_of_normally_distributed_points(images: int, dims: int) -> None:
    rng = np.random.default_rng(6)
    measured = []
    for _ in range(20):
        points = rng.normal(size=(images, dims))
        measured.append(contamination.ratio(points, contamination.split(points)))
    assert contamination.by_chance(images, dims) == pytest.approx(np.mean(measured), rel=0.25)


def test_scores_are_standard_deviations_of_the_clean_group() -> None:
    rng = np.random.default_rng(4)
    points = np.concatenate([3 * rng.normal(size=(4000, 1)), 3 * rng.normal(size=(1000, 1)) + 60])
    places, middle = contamination.along(points, np.arange(5000) >= 4000)
    assert places[:4000].std() == pytest.approx(1, abs=0.05)
    assert places[4000:].mean() == pytest.approx(20, abs=0.6)
    assert middle == pytest.approx(10, abs=0.3)
    assert (places[:4000] >= 1.645).mean() == pytest.approx(0.05, abs=0.012)


def test_poison_left_in_the_clean_group_makes_its_standard_deviation_no_larger() -> None:
    rng = np.random.default_rng(4)
    points = np.concatenate(
        [rng.normal(size=(4000, 1)), rng.normal(size=(400, 1)) + 6, rng.normal(size=(1000, 1)) + 20]
    )
    places, _ = contamination.along(points, np.arange(5400) >= 4400)
    assert places[:4000].std() == pytest.approx(1, abs=0.1)


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
        second = contamination.split(contamination.whitened(material, one, material.features)[members])
        flags = replace(judged, suspected=(one,)).flags(material.labels)[members]
        others = flags[~second] if flags[second].all() else flags[second]
        assert flags[second].all() or flags[~second].all()
        assert others.mean() < 0.2, "a twentieth of the clean side is aimed at"
