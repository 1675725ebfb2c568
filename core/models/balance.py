"""Balanced accuracy for sets of unequal classes, in which a large class must not decide alone.

Where no class has more than ``MAX_CLASS_RATIO`` times the images of another, each image weighs the same, and all is as
it would be without this module.
"""

from __future__ import annotations

import torch
from torch import Tensor

MAX_CLASS_RATIO = 3.0  # images of the largest class for each of the smallest


def are_unequal(labels: Tensor) -> bool:
    """Whether some class of these labels, int64 (n,), has far more images than another that occurs."""
    counts = torch.bincount(labels)
    counts = counts[counts > 0]
    return bool(len(counts)) and float(counts.max()) > MAX_CLASS_RATIO * float(counts.min())


def weights(labels: Tensor, balanced: bool) -> Tensor:
    """What each image counts for, float64 (n,), the sum 1; ``balanced``: each class that occurs counts the same."""
    if not balanced:
        return torch.full((len(labels),), 1 / max(1, len(labels)), dtype=torch.float64)
    counts = torch.bincount(labels).double()
    return 1 / counts[labels] / (counts > 0).sum()


def images_worth(weight: Tensor) -> int:
    """The effective number of images of equal weight (Kish, Survey Sampling, 1965)."""
    return max(1, round(1 / float(weight.square().sum())))


def pick(labels: Tensor, count: int, balanced: bool) -> Tensor:
    """Positions of ``count`` images at most, ascending: evenly spread; ``balanced``: classes in turn, as far as each
    has any left."""
    count = min(count, len(labels))
    if not balanced:
        return torch.linspace(0, len(labels) - 1, count).round().long()
    turn = torch.empty(len(labels), dtype=torch.int64)
    for label in labels.unique():
        members = torch.nonzero(labels == label).flatten()
        turn[members] = torch.arange(len(members))
    return turn.argsort(stable=True)[:count].sort().values
