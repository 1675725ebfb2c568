from __future__ import annotations

import numpy as np

from core.explore import place
from core.explore.material import material
from core.explore.saliency import make_saliency
from core.runs.record import Run


def test_a_point_is_shown_with_its_twin(recording: Run) -> None:
    stuff = material(recording)
    point = int(np.flatnonzero(stuff.samples.triggered)[0])
    make_saliency(recording, stuff, point)
    found = place.saliency(recording, point)
    assert found is not None
    assert found.variants.tolist() == [0, 1]
    assert found.heat.shape == (1, *found.pictures.shape[:3])
    alone = int(np.setdiff1d(np.flatnonzero(~stuff.samples.triggered), stuff.samples.twin)[0])
    make_saliency(recording, stuff, alone)
    assert place.saliency(recording, alone).variants.tolist() == [0]  # type: ignore[union-attr]
