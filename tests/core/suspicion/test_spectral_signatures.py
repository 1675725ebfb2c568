from __future__ import annotations

import numpy as np
import pytest

from core.suspicion import spectral_signatures


def poisoned(clean: int = 180, bad: int = 20) -> np.ndarray:
    rng = np.random.default_rng(0)
    shift = np.zeros(30)
    shift[7] = 6
    return np.concatenate([rng.normal(size=(clean, 30)), rng.normal(size=(bad, 30)) + shift])


def test_scores_are_squared_projections_on_the_first_principal_direction() -> None:
    features = poisoned()
    first = np.linalg.eigh(np.cov(features.T))[1][:, -1]
    expected = ((features - features.mean(axis=0)) @ first) ** 2
    np.testing.assert_allclose(spectral_signatures.outlier_scores(features), expected, rtol=1e-6, atol=1e-9)


def test_the_poisoned_are_among_the_dropped() -> None:
    scores = spectral_signatures.score(poisoned(), np.zeros(200, int))
    assert (scores[180:] >= 0.5).mean() >= 0.95


@pytest.mark.parametrize("epsilon", [0.05, 0.1, 0.2])
def test_one_and_a_half_times_epsilon_of_every_class_are_dropped(epsilon: float) -> None:
    features = np.concatenate([poisoned(), np.random.default_rng(1).normal(size=(100, 30))])
    groups = np.repeat([0, 3], [200, 100])
    flags = spectral_signatures.score(features, groups, epsilon) >= 0.5
    assert flags[:200].sum() == round(1.5 * epsilon * 200)
    assert flags[200:].sum() == round(1.5 * epsilon * 100)


def test_too_few_samples_or_features_that_do_not_vary_are_not_judged() -> None:
    assert not spectral_signatures.score(poisoned()[:9], np.zeros(9, int)).any()
    assert not spectral_signatures.score(np.ones((50, 4)), np.zeros(50, int)).any()
