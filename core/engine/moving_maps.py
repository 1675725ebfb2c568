"""Maps over a whole run, drawn once it is over from the features that were kept of its frames."""

from __future__ import annotations

import numpy as np

from core.featuremap import METHODS, make_projector, trustworthiness
from core.jobs.note import Report
from core.runs.moving import DrawnMap
from core.runs.record import Run

DIMS = (2, 3)


def draw(run: Run, method: str, dims: int, report: Report) -> np.ndarray:
    """Draws and keeps a map with a place for every frame; each goes on from the one before, so that points hold still.

    Once a run has all the maps there are, its features are needed no more and go.

    Args:
        run: one that keeps the features of every frame.

    Returns:
        float32 (frames, n, dims).

    Raises:
        BadInput: as ``core.featuremap.make_projector`` and ``Run.features``.
    """
    projector, count = make_projector(method, dims, run.spec.seed), run.frame_count
    report("map", 0, count)
    coords, trust = [], []
    for index in range(count):
        features = run.features(index).astype(np.float32)
        coords.append(projector.project(features))
        trust.append(trustworthiness(features, coords[-1]))
        report("map", index + 1, count)
    made = np.stack(coords)
    run.write_moving_map(method, dims, DrawnMap(made, np.array(trust, np.float32)))
    if not missing(run):
        run.drop_features()
    return made


def missing(run: Run) -> list[tuple[str, int]]:
    """The maps, by method and dimensions, that a run has no places for every frame on."""
    own = (run.spec.projection, run.spec.dims)
    offered = [(method, dims) for dims in DIMS for method in METHODS if (method, dims) != own]
    return [offer for offer in offered if run.moving_map(*offer) is None]
