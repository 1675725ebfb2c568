from __future__ import annotations

import numpy as np
import torch
from scipy.spatial.distance import mahalanobis as oracle
from torch import Tensor

from core.watch import mahalanobis
from core.watch.detector import Seen, Watched, see


def test_distances_are_those_of_scipy(watched: Watched, clean: tuple[Tensor, Tensor]) -> None:
    x, y = clean
    state = mahalanobis.fit(watched, x, y, see(watched.model, x), 0)
    features = see(watched.model, x).features.numpy().astype(float)
    labels = y.numpy()
    means = np.stack([features[labels == group].mean(0) for group in range(10)])
    rest = features - means[labels]
    covariance = rest.T @ rest / len(rest)
    covariance += mahalanobis.RIDGE * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
    seen = see(watched.model, x[:20])
    answers = seen.answers.numpy()
    inverse = np.linalg.inv(covariance)
    expected = [oracle(features[i], means[answers[i]], inverse) ** 2 for i in range(20)]
    np.testing.assert_allclose(mahalanobis.score(watched, state, x[:20], seen), expected, rtol=1e-3)


def test_it_is_the_distance_to_the_class_that_is_answered(watched: Watched, clean: tuple[Tensor, Tensor]) -> None:
    x, y = clean
    state = mahalanobis.fit(watched, x, y, see(watched.model, x), 0)
    seen = see(watched.model, x)
    other = Seen(seen.features, seen.logits.roll(1, 1))  # the next class is answered
    right, wrong = (mahalanobis.score(watched, state, x, one) for one in (seen, other))
    assert (wrong > right).float().mean() > 0.95


def test_a_class_without_images_is_taken_for_the_middle_of_all(watched: Watched, clean: tuple[Tensor, Tensor]) -> None:
    x, y = clean
    some = y != 4
    state = mahalanobis.fit(watched, x[some], y[some], see(watched.model, x[some]), 0)
    torch.testing.assert_close(state["means"][4], see(watched.model, x[some]).features.mean(0), rtol=1e-3, atol=1e-3)
