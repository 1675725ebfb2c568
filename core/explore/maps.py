"""Another projection of a run's features: of every frame where those are kept, else of the models before and after."""

from __future__ import annotations

import numpy as np

from core.engine import moving_maps
from core.errors import BadInput
from core.explore import place
from core.featuremap import make_projector, trustworthiness
from core.jobs.note import Report
from core.runs import hashes
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
    """Computes and writes the map; each frame goes on from the one before, so that points can be followed.

    Where the features of a frame cannot be read, all that are kept go, and the map is of the models before and after.

    Returns:
        float32 (frames, n, dims), or (models, n, dims) of the features that the run was explored with.

    Raises:
        BadInput: as ``explored`` and ``core.featuremap.make_projector``; as ``core.runs.hashes.check``.
    """
    if run.features_kept:
        try:
            return moving_maps.draw(run, method, dims, report)
        except BadInput as fault:
            if fault.code != "frame_not_found":
                raise
            run.drop_features()  # a damaged file: no map has a place for every frame any more
    hashes.check(run)
    base = explored(run)
    projector = make_projector(method, dims, run.spec.seed)
    report("map", 0, len(base.features))
    coords, trust = [], []
    for number, half in enumerate(base.features, 1):
        features = half.astype(np.float32)
        coords.append(projector.project(features))
        trust.append(trustworthiness(features, coords[-1]))
        report("map", number, len(base.features))
    made = place.DrawnMap(np.stack(coords), np.array(trust, np.float32))
    place.write(run, f"map-{method}-{dims}", made)
    return made.coords
