"""PCA in frames that do not flip."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from core.featuremap.projector import Projector, turned

if TYPE_CHECKING:
    from core.featuremap.neighbours import Neighbours

FULL_COLUMNS = 256  # up to so many columns all components are computed, above only the first ones


class PcaFrames(Projector):
    """Principal components of the current features, fitted afresh at every frame.

    The sign of a component is arbitrary, and the order of two components of similar variance changes easily. So each
    later frame is rotated, mirrored and shifted inside its plane to fit the last one; it is not scaled. Distances on
    the map are those of a plain PCA. The axes are the first components up to that rotation. The scale is that of the
    features: if they shrink, the map shrinks.
    """

    min_samples = 2

    def _first(self, features: np.ndarray, near: Neighbours | None) -> np.ndarray:
        return principal(features, self.dims)

    def _next(self, features: np.ndarray, last: np.ndarray, near: Neighbours | None) -> np.ndarray:
        return turned(principal(features, self.dims), last, mirror=True)


def principal(features: np.ndarray, dims: int) -> np.ndarray:
    """Scores (n, dims) of centred features (n, d) on their first ``dims`` principal components.

    The sign of a component is fixed by making its largest weight positive. Scores are 0 on components that do not exist
    (d < dims, constant features).
    """
    table = features.astype(np.float64)
    size = np.abs(table).max(initial=0.0)
    if size == 0:
        return np.zeros((len(table), dims))
    table /= size
    spread = table.T @ table
    if len(spread) <= FULL_COLUMNS:
        directions = np.linalg.eigh(spread)[1][:, ::-1][:, :dims]
    else:
        from scipy.sparse.linalg import eigsh

        directions = eigsh(spread, k=dims, which="LA", v0=np.ones(len(spread)))[1][:, ::-1]
    signs = np.sign(directions[np.abs(directions).argmax(axis=0), np.arange(directions.shape[1])])
    scores = table @ (directions * signs) * size
    return np.pad(scores, ((0, 0), (0, dims - scores.shape[1])))
