"""Settled maps: complete UMAP fits, by umap-learn, of the features that a run was explored with.

McInnes, Healy and Melville, "UMAP: Uniform Manifold Approximation and Projection for Dimension Reduction", 2018, in
the implementation of its authors. Its module and compiled functions take long to load. So only a process of
``python -m core explore`` imports this, and that process waits for further maps.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from core.explore import place
from core.explore.maps import explored
from core.explore.settled import Settled
from core.featuremap import trustworthiness
from core.featuremap.projector import turned
from core.jobs.note import Report
from core.runs.record import Run

MIN_POINTS = 8  # for umap-learn, whose spectral start needs them; fewer are laid out by PCA


def make_settled(run: Run, settings: Settled, report: Report) -> place.DrawnMap:
    """Computes and writes the settled map of the model before and, where it is known, of the one after.

    The second starts where the first ended and is turned onto it, so that points can be followed; like the first, it
    is then laid out to the end.

    Raises:
        BadInput: ``explore_first``, the features were not computed yet.
    """
    base = explored(run)
    models = len(base.features)
    report("load", 0, 0)
    coords: list[np.ndarray] = []
    for number, features in enumerate(base.features):

        def drawn(share: float, number: int = number) -> None:
            report("map", number + share, models)

        labels = labels_of(run, settings, number)
        last = coords[-1] if coords else None
        coords.append(fit(features.astype(np.float32), settings, labels, last, drawn))
    trust = [trustworthiness(features, places) for features, places in zip(base.features, coords, strict=True)]
    made = place.DrawnMap(np.stack(coords), np.array(trust, np.float32))
    place.write(run, place.settled_name(settings.key), made)
    report("map", models, models)
    return made


def labels_of(run: Run, settings: Settled, model: int) -> np.ndarray | None:
    """The labels (n,) that supervise a map, if any: true classes, or the answers of model 0 (before) or 1 (after)."""
    if settings.supervised == "none" or run.samples is None:
        return None
    if settings.supervised == "class":
        return run.samples.label
    return run.frame(run.frame_count - 1 if model else 0).answers


def fit(
    features: np.ndarray,
    settings: Settled,
    labels: np.ndarray | None = None,
    start: np.ndarray | None = None,
    report: Callable[[float], None] = lambda share: None,
) -> np.ndarray:
    """One settled map.

    Args:
        features: float32 (n, d), finite.
        labels: int (n,), which supervise the map.
        start: (n, dims) to begin with, as the result lies on it; worked out from the graph where none is given.
        report: is told the share that is done, 0-1.

    Returns:
        float32 (n, dims).
    """
    if len(features) < MIN_POINTS:
        from core.featuremap.pca_frames import principal

        return principal(features - features.mean(0), settings.dims).astype(np.float32)
    with contextlib.redirect_stdout(sys.stderr):  # umap-learn tells of its stages there
        coords = mapper_of(settings, len(features), start, report).fit_transform(features, labels)
    coords = np.nan_to_num(np.asarray(coords, np.float32))
    return coords if start is None else turned(coords, start, mirror=True).astype(np.float32)


def mapper_of(settings: Settled, n: int, start: np.ndarray | None, report: Callable[[float], None], **more: Any) -> Any:
    """The ``umap.UMAP`` of these settings for ``n`` points, not fitted yet; ``more``: of its own arguments."""
    import umap

    return umap.UMAP(
        n_neighbors=min(settings.n_neighbors, n - 1),
        n_components=settings.dims,
        min_dist=settings.min_dist,
        metric=settings.metric,
        densmap=settings.densmap,
        init="spectral" if start is None else start,
        random_state=settings.seed,
        n_jobs=-1 if settings.seed is None else 1,
        verbose=True,
        tqdm_kwds={"file": _Share(report), "bar_format": "{n_fmt}/{total_fmt}", "mininterval": 0.2},
        **more,
    )


class _Share:
    """Reads umap-learn's own progress bar, "120/500": it has no other way to be asked how far it is."""

    def __init__(self, report: Callable[[float], None]) -> None:
        self.report = report

    def write(self, text: str) -> None:
        done, slash, total = text.strip().partition("/")
        if slash and done.isdecimal() and total.isdecimal() and int(total):
            self.report(min(1.0, int(done) / int(total)))

    def flush(self) -> None:
        """What a file can do."""
