"""Distance in penultimate features to the class that an image is answered as.

K. Lee, K. Lee, H. Lee, J. Shin: "A Simple Unified Framework for Detecting Out-of-Distribution Samples and Adversarial
Attacks", NeurIPS 2018, section 2.1: one Gaussian per class, one covariance for all.

Deviations: the distance is to the class that is answered, not to the nearest, since a trigger moves
an image into a class where it does not lie; and only penultimate features are used, no earlier layers and no noise
added to the input.
"""

from __future__ import annotations

import torch
from torch import Tensor

from core.watch.detector import Seen, State, Watched

RIDGE = 0.1  # share of the mean variance, added to every variance, since there are few images for many dimensions


def fit(watched: Watched, images: Tensor, labels: Tensor, seen: Seen, seed: int) -> State:
    """``means`` (classes, d), and the inverse covariance within the classes, ``inverse`` (d, d)."""
    features = seen.features.double()
    classes = watched.model.num_classes
    ones = torch.ones(len(labels), dtype=torch.float64)
    counts = torch.zeros(classes, dtype=torch.float64).index_add_(0, labels, ones)
    sums = torch.zeros(classes, features.shape[1], dtype=torch.float64).index_add_(0, labels, features)
    means = torch.where(counts[:, None] > 0, sums / counts[:, None].clamp_min(1), features.mean(0))
    return {"means": means.float(), "inverse": inverse(features - means[labels])}


def score(watched: Watched, state: State, images: Tensor, seen: Seen) -> Tensor:
    return square(seen.features - state["means"][seen.answers], state["inverse"])


def inverse(rest: Tensor) -> Tensor:
    """The inverse covariance of centred features (n, d), float (d, d)."""
    covariance = rest.T @ rest / len(rest)
    ridge = RIDGE * covariance.diagonal().mean().clamp_min(1e-12)
    return torch.linalg.inv(covariance + ridge * torch.eye(len(covariance), dtype=covariance.dtype)).float()


def square(rest: Tensor, inverted: Tensor) -> Tensor:
    """The squared distance of each row of ``rest`` (n, d) from the middle, (n,)."""
    return ((rest @ inverted) * rest).sum(1)
