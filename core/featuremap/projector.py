"""The base of all projections: the last frame, checks of the input, and very small inputs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from core.featuremap.neighbours import Neighbours

LIMIT = 1e15  # of a feature; sums of squares over thousands of columns then fit into float32


class Projector(ABC):
    """Projects one fixed sample set repeatedly, into frames that do not jump.

    Every frame is a projection of the features given. The last frame only decides where the optimisation starts (UMAP,
    t-SNE) or how the result is rotated (PCA).

    Args:
        dims: 2 or 3.
        seed: fixes every random number.
        start: coordinates (n, dims) that count as the last frame, or None.
    """

    min_samples = 2  # with fewer, the coordinates are 0 or those of the last frame

    def __init__(self, dims: int, seed: int = 0, start: np.ndarray | None = None) -> None:
        self.dims = dims
        self.seed = seed
        self._coords: np.ndarray | None = None
        if start is not None:
            start = np.array(start, dtype=np.float32)
            if start.ndim != 2 or start.shape[1] != dims or not np.isfinite(start).all():
                raise ValueError(f"start must hold finite coordinates of shape (n, {dims}), not {start.shape}")
            self._coords = start

    @property
    def coords(self) -> np.ndarray | None:
        """The last frame, float32 (n, dims), or None before the first."""
        return self._coords

    def project(self, features: np.ndarray, near: Neighbours | None = None) -> np.ndarray:
        """The next frame.

        Args:
            features: (n, d), the same samples in the same order in every call. Values that are not
                finite count as the mean of their column.
            near: the neighbours of ``features``, from ``neighbours_of``, if they are known; computed otherwise, if the
                method needs them.

        Returns:
            Finite float32 coordinates (n, dims), a copy.
        """
        features = tidy(features)
        n = len(features)
        if self._coords is not None and len(self._coords) != n:
            raise ValueError(f"this projector holds {len(self._coords)} points and was given features of {n}")
        if n < self.min_samples:
            coords = np.zeros((n, self.dims)) if self._coords is None else self._coords
        elif self._coords is None:
            coords = self._first(features, near)
        else:
            coords = self._next(features, self._coords, near)
        self._coords = np.ascontiguousarray(coords, dtype=np.float32)
        return self._coords.copy()

    def warm_up(self) -> None:
        """Makes two frames of tiny data with another projector of this class, to load the libraries they need."""
        other = type(self)(self.dims, self.seed)
        tiny = np.random.default_rng(0).normal(size=(40, 8)).astype(np.float32)
        other.project(tiny)
        other.project(tiny)

    @abstractmethod
    def _first(self, features: np.ndarray, near: Neighbours | None) -> np.ndarray: ...

    @abstractmethod
    def _next(self, features: np.ndarray, last: np.ndarray, near: Neighbours | None) -> np.ndarray: ...


def tidy(features: np.ndarray) -> np.ndarray:
    """A float32 copy (n, d): columns centred, values clipped to ``LIMIT``, those that are not finite set to the
    mean."""
    table = np.array(features, dtype=np.float64)
    if table.ndim != 2:
        raise ValueError(f"features must have shape (n, d), not {table.shape}")
    if table.size == 0:
        return np.zeros((len(table), 1), dtype=np.float32)
    known = np.isfinite(table)
    table = np.clip(np.where(known, table, 0.0), -LIMIT, LIMIT)
    mean = table.sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    return np.where(known, table - mean, 0.0).astype(np.float32)


def turned(coords: np.ndarray, last: np.ndarray, mirror: bool = False, still: np.ndarray | None = None) -> np.ndarray:
    """``coords`` rotated and shifted, but not scaled, to fit ``last`` best.

    Orthogonal Procrustes (Schönemann, Psychometrika 1966), fitted twice: to all points (or to those marked in
    ``still``), then to the half of them that fits best. So points that move do not turn the map.

    Args:
        coords, last: (n, dims).
        mirror: allow reflections as well.
        still: bool (n,), the points to fit to.
    """
    chosen = np.arange(len(coords)) if still is None else np.flatnonzero(still)
    if len(chosen) <= coords.shape[1]:
        return coords
    for share in (1.0, 0.5):
        here, there = coords[chosen].mean(axis=0), last[chosen].mean(axis=0)
        left, _, right = np.linalg.svd((coords[chosen] - here).T.astype(np.float64) @ (last[chosen] - there))
        if not mirror and np.linalg.det(left @ right) < 0:
            left[:, -1] *= -1
        moved = (coords - here) @ (left @ right) + there
        if share == 1.0:
            error = np.linalg.norm(moved - last, axis=1)[chosen]
            chosen = chosen[np.argsort(error, kind="stable")[: max(coords.shape[1] + 1, len(chosen) // 2)]]
    return moved
