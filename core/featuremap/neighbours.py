"""Exact nearest neighbours, as matrix products in blocks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from core.featuremap.projector import tidy

BLOCK = 1 << 23  # numbers in a block of the distance matrix: 32 MiB


class Neighbours(NamedTuple):
    """The k nearest neighbours of each point: ``distance`` (n, k), ascending; ``index`` int64 (n, k)."""

    distance: Tensor
    index: Tensor  # type: ignore[assignment]  # hides tuple.index, which nobody needs here


def neighbours_of(features: np.ndarray, k: int) -> Neighbours:
    """``nearest`` of features (n, d) that need be neither finite nor centred (see ``tidy``); on the CPU."""
    return nearest(torch.from_numpy(tidy(features)), k)


def ranked_distances(points: Tensor, rows: int) -> Iterator[tuple[int, Tensor]]:
    """Blocks of at most ``rows`` rows of the distance matrix, fit for ranking within a row.

    Yields the block's first row and, float (b, n), |p|^2 - 2 q.p: the squared distance of each q of the block to
    each p less q's own |q|^2; infinite for a point to itself. ``points`` (n, d) should be centred: rounding
    grows with their distance from 0.
    """
    own = points.square().sum(1)
    for start in range(0, len(points), rows):
        block = torch.addmm(own, points[start : start + rows], points.T, alpha=-2)
        block.diagonal(start).fill_(torch.inf)
        yield start, block


def nearest(points: Tensor, k: int) -> Neighbours:
    """The ``k`` nearest other points of each point, in Euclidean distance.

    Args:
        points: (n, d), floating point, finite.
        k: neighbours wanted; with fewer other points, all of them.

    Returns:
        Distances in ascending order, recomputed from the differences so that duplicates are exactly 0 apart, and
        indices.
    """
    n, d = points.shape
    k = max(0, min(k, n - 1))
    if k == 0:
        return Neighbours(points.new_zeros(n, 0), torch.zeros(n, 0, dtype=torch.int64, device=points.device))
    points = points - points.mean(dim=0)
    distances, indices = [], []
    # few, large operations: each one synchronises torch's threads, which is slow on a busy machine
    for start, block in ranked_distances(points, max(1, BLOCK // max(n, k * d))):
        index = block.topk(k, largest=False).indices
        gap = points[index].sub_(points[start : start + len(block), None])
        distance, order = gap.norm(dim=2).sort(dim=1, stable=True)
        distances.append(distance)
        indices.append(index.gather(1, order))
    return Neighbours(torch.cat(distances), torch.cat(indices))
