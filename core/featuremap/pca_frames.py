"""PCA whose frames do not flip."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from core.featuremap.projector import Projector, turned

if TYPE_CHECKING:
    from core.featuremap.neighbours import Neighbours

SMALL = 256  # above this many columns only the wanted directions are computed


class PcaFrames(Projector):
    """Principal components of the current features, fitted afresh at every frame.

    The sign of a component is arbitrary and the order of two with like variance changes easily, so each
    later frame is turned (rotated, mirrored, shifted, never scaled) inside its plane to lie on the last one.
    Distances on the map are those of a plain PCA; the axes are the first two or three components only
    up to that turn. The scale is the features' own: if they shrink, the map shrinks.
    """

    fewest = 2

    def _first(self, features: np.ndarray, near: Neighbours | None) -> np.ndarray:
        return principal(features, self.dims)

    def _next(self, features: np.ndarray, last: np.ndarray, near: Neighbours | None) -> np.ndarray:
        return turned(principal(features, self.dims), last, mirror=True)


def principal(features: np.ndarray, dims: int) -> np.ndarray:
    """Scores (n, dims) of centred features (n, d) on their first ``dims`` principal components.

    The largest weight of a component is made positive, which fixes its sign. Directions the data do not
    have (d < dims, constant features) get scores of 0.
    """
    table = features.astype(np.float64)
    size = np.abs(table).max(initial=0.0)
    if size == 0:
        return np.zeros((len(table), dims))
    table /= size
    spread = table.T @ table
    if len(spread) <= SMALL:
        directions = np.linalg.eigh(spread)[1][:, ::-1][:, :dims]
    else:
        from scipy.sparse.linalg import eigsh

        directions = eigsh(spread, k=dims, which="LA", v0=np.ones(len(spread)))[1][:, ::-1]
    signs = np.sign(directions[np.abs(directions).argmax(axis=0), np.arange(directions.shape[1])])
    scores = table @ (directions * signs) * size
    return np.pad(scores, ((0, 0), (0, dims - scores.shape[1])))
