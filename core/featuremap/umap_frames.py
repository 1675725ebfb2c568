"""UMAP in frames that do not jump.

McInnes, Healy and Melville, "UMAP: Uniform Manifold Approximation and Projection", arXiv 1802.03426.

- **Graph** (section 3.1): the fuzzy simplicial set of the exact nearest neighbours, equal to that of
  umap-learn's ``fuzzy_simplicial_set``; a test compares the two.
- **Layout** (section 3.2): gradient descent on the same fuzzy cross entropy, with the attraction of every
  edge and a sample of the repulsion in the expected proportions of umap-learn (``negative_sample_rate=5``,
  both ends of an edge drawn). umap-learn takes edge after edge in compiled code; here an epoch is one batch
  of array operations, as in uwot's ``batch = TRUE``, so nothing has to be compiled.

Four measures keep points in place, although none is fixed:

- A frame starts from the last positions, at their scale, with a small step size.
- The step of a point is its force divided by the stiffness of its own springs (Jacobi preconditioner). That changes how
  fast a point moves, and not where its forces are balanced.
- A point that is unusually far from its neighbours on the map (``displacement``) takes steps up to six times as long.
  So images that leave the trigger cluster move within a frame or two, and the others stay.
- Every frame draws the same random numbers. A frame is then a deterministic function of the positions, and repeated
  frames of unchanged features converge.

Frames are not aligned with the last one. On a dissolving cluster, alignment made no relevant difference (clean points
moved by 3.7 % of the diagonal in all, against 3.8 %).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from core.featuremap.pca_frames import principal
from core.featuremap.projector import Projector

if TYPE_CHECKING:
    from core.featuremap.neighbours import Neighbours

NEIGHBOURS = 15  # umap-learn's default; as there, the point itself is counted
A, B = 1.5769434603, 0.8950608779  # umap-learn's find_ab_params(spread=1.0, min_dist=0.1)
NEGATIVE_RATE = 5.0
NEGATIVES = 25  # random other points, per point and epoch, that the repulsion is estimated on
FIRST_EPOCHS, FIRST_STEP = 200, 0.5  # of the first frame; step sizes as in ``layout``
LATER_EPOCHS, LATER_STEP, DISPLACED_STEP = 40, 0.15, 0.9  # of later frames; the last of points of displacement 1
DISPLACED_FROM, DISPLACED_FULLY = 1.5, 4.5  # distance to the neighbours over the median one: displacement 0 and 1
MOMENTUM = 0.8
LONGEST_STEP = 1.0  # of a point in one epoch; a map is about 20 wide
BOX = 10.0  # the first positions span -10 to 10, as in umap-learn


class UmapFrames(Projector):
    """UMAP with 15 neighbours and min_dist 0.1; see the module."""

    min_samples = 3

    def _first(self, features: np.ndarray, near: Neighbours | None) -> np.ndarray:
        start = principal(features, self.dims)
        size = np.abs(start).max()
        start = start * (BOX / size) if size > 0 else start
        start = start + np.random.default_rng(self.seed).normal(scale=1e-3 * BOX, size=start.shape)
        return layout(graph_of(features, near), start, FIRST_EPOCHS, FIRST_STEP, FIRST_STEP, self.seed)

    def _next(self, features: np.ndarray, last: np.ndarray, near: Neighbours | None) -> np.ndarray:
        return layout(graph_of(features, near), last, LATER_EPOCHS, LATER_STEP, DISPLACED_STEP, self.seed)


def graph_of(features: np.ndarray, near: Neighbours | None = None) -> sparse.csr_matrix:
    """The fuzzy simplicial set of features (n, d): see ``fuzzy_graph``. ``near``: their neighbours, where known."""
    if near is None:
        import torch

        from core.featuremap.neighbours import nearest

        near = nearest(torch.from_numpy(features), NEIGHBOURS - 1)
    known = slice(NEIGHBOURS - 1)
    return fuzzy_graph(near.distance[:, known].numpy(), near.index[:, known].numpy(), min(NEIGHBOURS, len(features)))


def fuzzy_graph(distance: np.ndarray, index: np.ndarray, neighbours: int) -> sparse.csr_matrix:
    """Membership strengths of the edges, symmetric (n, n), each in (0, 1].

    Args:
        distance: (n, k) to the k nearest others, ascending; ``index``: which they are.
        neighbours: k + 1, the number that includes the point itself.
    """
    n, k = distance.shape
    nearest = np.where(distance > 0, distance, np.inf).min(axis=1, keepdims=True)
    nearest[np.isinf(nearest)] = 0.0  # all neighbours are duplicates
    beyond = np.maximum(distance - nearest, 0.0).astype(np.float64)
    width = _widths(beyond, np.log2(neighbours))
    mean = np.where(nearest > 0, distance.sum(axis=1, keepdims=True) / neighbours, distance.sum() / (n * neighbours))
    width = np.maximum(width, 1e-3 * mean)
    strength = np.exp(-beyond / np.where(width > 0, width, 1.0)).astype(np.float32)
    rows = sparse.csr_matrix((strength.ravel(), index.ravel(), np.arange(0, n * k + 1, k)), shape=(n, n))
    columns = rows.T.tocsr()
    both = (rows + columns - rows.multiply(columns)).tocsr()
    both.eliminate_zeros()
    both.sort_indices()
    return both


def _widths(beyond: np.ndarray, target: float) -> np.ndarray:
    """Kernel width (n, 1) of each point, by bisection, so that its strengths add up to ``target``."""
    low, high = np.zeros((len(beyond), 1)), np.full((len(beyond), 1), np.inf)
    middle = np.ones((len(beyond), 1))
    for _ in range(64):
        total = np.exp(-beyond / middle).sum(axis=1, keepdims=True)
        if np.abs(total - target).max() < 1e-5:
            break
        wide = total > target
        high, low = np.where(wide, middle, high), np.where(wide, low, middle)
        middle = np.where(np.isinf(high), middle * 2, (low + high) / 2)
    return middle


def layout(
    graph: sparse.csr_matrix, start: np.ndarray, epochs: int, step: float, displaced_step: float, seed: int
) -> np.ndarray:
    """Coordinates (n, dims) after ``epochs`` of descent from ``start``.

    Args:
        graph: symmetric (n, n), at least one edge per point, n >= 2.
        step, displaced_step: step size of a point of displacement 0 and of displacement 1, as a share of the way to the
            place where its springs alone would move it; both fall linearly to 0 over the epochs.
    """
    n, dims = start.shape
    place = [np.ascontiguousarray(axis, dtype=np.float32) for axis in start.T]
    speed = [np.zeros(n, dtype=np.float32) for _ in range(dims)]
    first, tails, strength = graph.indptr[:-1], graph.indices, graph.data * np.float32(4 * A * B)
    heads = np.repeat(np.arange(n, dtype=np.int32), np.diff(graph.indptr))
    repulsion_weight = np.add.reduceat(graph.data, first) * np.float32(2 * B * NEGATIVE_RATE / NEGATIVES)
    steps = np.float32(step) + np.float32(displaced_step - step) * displacement(graph, start)
    random = np.random.default_rng(seed)
    for epoch in range(epochs):
        # Attraction, twice per edge as in umap-learn, which moves both ends: 2 x 2ab d^(2b-2) / (1 + a d^2b).
        gap = [axis.take(tails) - axis.take(heads) for axis in place]
        square = _square(gap) + np.float32(1e-6)
        power = _power(square)
        spring = strength * power / (square * (1 + np.float32(A) * power))
        stiffness = np.add.reduceat(spring, first)
        pull = [np.add.reduceat(spring * axis, first) for axis in gap]
        # Repulsion: 2b / ((0.001 + d^2)(1 + a d^2b)), clipped at 4 an axis as in umap-learn.
        gap = _to_others(place, random.integers(1, n, size=NEGATIVES))
        square = _square(gap) + np.float32(1e-12)
        force = 1 / ((np.float32(0.001) + square) * (1 + np.float32(A) * _power(square)))
        rate = np.float32(1 - epoch / epochs) * steps / stiffness
        for axis in range(dims):
            repulsion = np.clip(force * gap[axis], -2 / B, 2 / B).sum(axis=0)
            speed[axis] = np.float32(MOMENTUM) * speed[axis] + rate * (pull[axis] + repulsion_weight * repulsion)
        shrink = np.minimum(1, np.float32(LONGEST_STEP) / np.sqrt(_square(speed) + np.float32(1e-12)))
        for axis in range(dims):
            speed[axis] *= shrink
            place[axis] += speed[axis]
    return np.stack(place, axis=1)


def _to_others(place: list[np.ndarray], shifts: np.ndarray) -> list[np.ndarray]:
    """Each axis of the way (len(shifts), n) from others to each point; others are ``shifts`` further on.

    Shifts are uniform over 1 .. n - 1, so each point meets uniformly drawn others, and never itself; slices of
    one doubled array are several times faster than drawing and gathering n numbers for each.
    """
    gaps = []
    for axis in place:
        twice = np.concatenate((axis, axis))
        gaps.append(axis - np.stack([twice[shift : shift + len(axis)] for shift in shifts]))
    return gaps


def _power(square: np.ndarray) -> np.ndarray:
    """d^2b of d^2."""
    return np.exp(np.float32(B) * np.log(square))


def displacement(graph: sparse.csr_matrix, place: np.ndarray) -> np.ndarray:
    """How displaced each point is, 0-1, (n,): 0 if it is about as near its neighbours on the map as the median
    point."""
    first = graph.indptr[:-1]
    heads = np.repeat(np.arange(len(place)), np.diff(graph.indptr))
    length = np.linalg.norm(place[graph.indices] - place[heads], axis=1)
    reach = np.add.reduceat(length * graph.data, first) / np.add.reduceat(graph.data, first)
    median = max(float(np.median(reach)), 1e-6)
    return np.clip((reach / median - DISPLACED_FROM) / (DISPLACED_FULLY - DISPLACED_FROM), 0, 1).astype(np.float32)


def _square(axes: list[np.ndarray]) -> np.ndarray:
    total = axes[0] * axes[0]
    for axis in axes[1:]:
        total += axis * axis
    return total
