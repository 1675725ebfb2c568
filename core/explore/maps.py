"""Another projection of the features a run was explored with: of the model before, then of the one after."""

from __future__ import annotations

import numpy as np

from core.errors import BadInput
from core.explore import place
from core.featuremap import make_projector
from core.jobs.note import Report
from core.runs.record import Run


def explored(run: Run) -> place.Base:
    """What the run was explored with.

    Raises:
        BadInput: ``explore_first``, that was not computed yet.
    """
    base = place.base(run)
    if base is None:
        raise BadInput(
            "explore_first",
            f"The features of the run {run.id} are not there yet; compute them with: python -m core explore {run.id}",
            run=run.id,
        )
    return base


def make_map(run: Run, method: str, dims: int, report: Report) -> np.ndarray:
    """Computes and writes the map; the second frame goes on from the first, so that points can be followed.

    Returns:
        float32 (models, n, dims).

    Raises:
        BadInput: as ``explored`` and ``core.featuremap.make_projector``.
    """
    base = explored(run)
    projector = make_projector(method, dims, run.spec.seed)
    report("map", 0, len(base.features))
    frames = []
    for number, features in enumerate(base.features, 1):
        frames.append(projector.project(features.astype(np.float32)))
        report("map", number, len(base.features))
    coords = np.stack(frames)
    place.write(run, f"map-{method}-{dims}", place.Map(coords))
    return coords
