from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.engine import moving_maps
from core.runs import record
from core.runs.moving import DrawnMap
from core.runs.record import Run
from core.runs.spec import Spec

FRAMES, POINTS = 4, 60


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run whose second half of points goes, frame by frame, from one place to another."""
    run = record.create(Spec(victim="digits-badnets", images="digits"), root=tmp_path)
    features = np.random.default_rng(0).normal(size=(POINTS, 5))
    for index in range(FRAMES):
        features[POINTS // 2 :, 0] += 3
        run.write_frame(index, features[:, :2], np.zeros(POINTS), np.zeros(POINTS))
        run.write_features(index, features.astype(np.float16))
    return run


def test_a_map_has_a_place_for_every_frame_and_goes_on_from_the_one_before(run: Run) -> None:
    told: list[tuple[float, float]] = []
    made = moving_maps.draw(run, "umap", 3, lambda _, done, total: told.append((done, total)))
    assert made.shape == (FRAMES, POINTS, 3)
    assert told == [(k, FRAMES) for k in range(FRAMES + 1)]
    kept = run.moving_map("umap", 3)
    assert kept is not None
    np.testing.assert_allclose(kept.coords, made, atol=np.ptp(made) / 1000)
    assert (kept.trust > 0.7).all()
    travelled = np.linalg.norm(made[-1] - made[0], axis=1)
    still = np.median(travelled[: POINTS // 2])
    assert still < 0.25 * np.linalg.norm(np.ptp(made[0], axis=0))
    assert np.median(travelled[POINTS // 2 :]) > still


def test_features_go_once_every_map_is_drawn(run: Run) -> None:
    blank = DrawnMap(np.zeros((FRAMES, POINTS, 2), np.float32), np.ones(FRAMES, np.float32))
    for offer in moving_maps.missing(run):
        if offer != ("pca", 3):
            assert run.features_kept
            run.write_moving_map(*offer, blank)
    assert moving_maps.missing(run) == [("pca", 3)]
    moving_maps.draw(run, "pca", 3, lambda *_: None)
    assert moving_maps.missing(run) == []
    assert not (run.folder / "features").exists()
