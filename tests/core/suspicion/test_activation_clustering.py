from __future__ import annotations

import numpy as np

from core.suspicion import activation_clustering


def heaps(rest: int, apart: int, seed: int = 0) -> np.ndarray:
    """``rest`` samples in one round heap and ``apart`` far from it, (rest + apart, 24)."""
    rng = np.random.default_rng(seed)
    away = np.zeros(24)
    away[:3] = 12
    return np.concatenate([rng.normal(size=(rest, 24)), rng.normal(size=(apart, 24)) + away])


def test_the_smaller_heap_of_a_class_is_suspected() -> None:
    scores = activation_clustering.score(heaps(180, 30), np.zeros(210, int))
    assert (scores[180:] >= 0.5).mean() > 0.95
    assert (scores[:180] < 0.5).mean() > 0.95


def test_a_class_of_one_heap_or_of_two_equal_ones_is_not_suspected() -> None:
    rng = np.random.default_rng(1)
    features = np.concatenate([rng.normal(size=(200, 24)), heaps(100, 100)])
    scores = activation_clustering.score(features, np.repeat([0, 1], 200))
    assert not scores.any()


def test_each_class_is_judged_by_itself() -> None:
    features = np.concatenate([heaps(100, 0, 3), heaps(180, 30)])
    groups = np.repeat([5, 2], [100, 210])
    scores = activation_clustering.score(features, groups)
    assert not scores[:100].any()
    np.testing.assert_array_equal(scores[100:], activation_clustering.score(features[100:], groups[100:]))


def test_too_few_samples_or_features_that_do_not_vary_are_not_judged() -> None:
    few = heaps(activation_clustering.MIN_SAMPLES - 4, 3)
    assert not activation_clustering.score(few, np.zeros(len(few), int)).any()
    assert not activation_clustering.score(np.ones((60, 8)), np.zeros(60, int)).any()


def test_the_same_seed_gives_the_same_scores() -> None:
    features = heaps(150, 25)
    one, two = (activation_clustering.score(features, np.zeros(175, int), seed=4) for _ in range(2))
    np.testing.assert_array_equal(one, two)


def test_the_largest_seed_is_taken_like_any_other() -> None:
    scores = activation_clustering.score(heaps(180, 30), np.zeros(210, int), seed=2**32 - 1)
    assert (scores[180:] >= 0.5).mean() > 0.95
