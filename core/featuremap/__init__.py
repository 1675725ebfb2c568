"""Maps of feature space whose points hold still: UMAP, t-SNE and PCA in two or three dimensions.

Light to import (numpy only): each method's module is loaded when a projector of it is made.
"""

from __future__ import annotations

import numpy as np

from core.errors import BadInput
from core.featuremap.projector import Projector
from core.registry import loaded

METHODS: dict[str, str] = {
    "umap": "core.featuremap.umap_frames:UmapFrames",
    "tsne": "core.featuremap.tsne_frames:TsneFrames",
    "pca": "core.featuremap.pca_frames:PcaFrames",
}

__all__ = ["METHODS", "Projector", "make_projector", "trustworthiness", "warm_up"]


def make_projector(method: str, dims: int = 2, seed: int = 0, start: np.ndarray | None = None) -> Projector:
    """A projector that turns features into one frame after another.

    Args:
        method: "umap", "tsne" or "pca".
        dims: 2 or 3.
        seed: same seed, same features, same machine: same frames.
        start: coordinates (n, dims) to go on from (the last frame of a run that is resumed, or a shipped
            starting map); the first call of ``project`` is then a later frame, not a first one.

    Raises:
        BadInput: ``unknown_projection`` or ``projection_dims``.
    """
    if method not in METHODS:
        raise BadInput(
            "unknown_projection",
            f"There is no projection {method!r}; choose one of {', '.join(METHODS)}.",
            method=str(method),
            allowed=", ".join(METHODS),
        )
    if dims not in (2, 3):
        raise BadInput("projection_dims", f"A map has 2 or 3 dimensions, not {dims}.", dims=dims)
    return loaded(METHODS[method])(dims, seed, start)  # type: ignore[no-any-return]


def warm_up(method: str = "umap", dims: int = 2) -> None:
    """Load what ``method`` needs and run it once on tiny data; made to be called in a background thread."""
    make_projector(method, dims).warm_up()


def trustworthiness(features: np.ndarray, coords: np.ndarray, k: int = 15) -> float:
    """How far neighbours on the map are neighbours in feature space, 0-1; see ``core.featuremap.quality``."""
    from core.featuremap import quality

    return quality.trustworthiness(features, coords, k)
