"""SCALE-UP: how often the answer is unchanged when the pixel values are multiplied.

J. Guo, Y. Li, X. Chen, H. Guo, L. Sun, C. Liu: "SCALE-UP: An Efficient Black-box Input-level Backdoor Detection via
Analyzing Scaled Prediction Consistency", ICLR 2023, section 4: the share of the scaled images (``FACTORS``, cut at 1)
that are answered as the image itself; with some clean images at hand, less the mean and over the standard deviation
of that share in the class that is answered (their data-limited setting).
"""

from __future__ import annotations

import torch
from torch import Tensor

from core.models.evaluate import answers
from core.watch.detector import Seen, State, Watched

FACTORS = (3, 5, 7, 9, 11)
MIN_SPREAD = 0.05  # standard deviation of the share in a class; keeps the score finite if all its images agree


def fit(watched: Watched, images: Tensor, labels: Tensor, seen: Seen, seed: int) -> State:
    """``mean`` and ``spread`` of the share by class, (classes,); of all images where a class has fewer than two."""
    share = _consistency(watched, images, seen.answers)
    mean, spread = share.mean(), share.std()
    means, spreads = [], []
    for group in range(watched.model.num_classes):
        here = share[labels == group]
        means.append(here.mean() if len(here) > 1 else mean)
        spreads.append(here.std() if len(here) > 1 else spread)
    return {"mean": torch.stack(means), "spread": torch.stack(spreads).clamp_min(MIN_SPREAD)}


def score(watched: Watched, state: State, images: Tensor, seen: Seen) -> Tensor:
    share = _consistency(watched, images, seen.answers)
    return (share - state["mean"][seen.answers]) / state["spread"][seen.answers]


def _consistency(watched: Watched, images: Tensor, expected: Tensor) -> Tensor:
    """Share of the scaled images answered as expected, 0-1, (n,)."""
    same = torch.zeros(len(images))
    for factor in FACTORS:
        scaled = answers(watched.model, images, lambda x, factor=factor: (x * factor).clamp(0, 1))  # type: ignore[misc]
        same += (scaled.cpu() == expected).float()
    return same / len(FACTORS)
