from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.errors import BadInput
from core.runs import record
from core.runs.moving import FINENESS, DrawnMap
from core.runs.record import Run
from core.runs.spec import Spec

FRAMES, POINTS = 5, 7


@pytest.fixture
def run(tmp_path: Path) -> Run:
    run = record.create(Spec(victim="digits-badnets", images="digits"), root=tmp_path)
    for index in range(FRAMES):
        run.write_frame(index, np.zeros((POINTS, 2)), np.zeros(POINTS), np.zeros(POINTS))
    return run


def drawn(frames: int, dims: int) -> DrawnMap:
    rng = np.random.default_rng(0)
    coords = (rng.normal(size=(frames, POINTS, dims)) * [3, 40, 1][:dims] - 50).astype(np.float32)
    return DrawnMap(coords, np.linspace(0.5, 1, frames, dtype=np.float32))


@pytest.mark.parametrize("dims", [2, 3])
def test_a_map_of_every_frame_is_read_as_it_was_written_but_for_an_invisible_rounding(run: Run, dims: int) -> None:
    made = drawn(FRAMES, dims)
    run.write_moving_map("tsne", dims, made)
    found = run.moving_map("tsne", dims)
    assert found is not None
    side = np.ptp(made.coords, axis=(0, 1)).max()
    assert np.abs(found.coords - made.coords).max() < 0.6 * side / FINENESS, "no error adds up over the frames"
    np.testing.assert_array_equal(found.trust, made.trust)
    assert run.moving_map("umap", dims) is None


def test_points_that_all_lie_on_one_place_are_kept_too(run: Run) -> None:
    made = DrawnMap(np.full((FRAMES, POINTS, 2), 3, np.float32), np.ones(FRAMES, np.float32))
    run.write_moving_map("pca", 2, made)
    np.testing.assert_allclose(run.moving_map("pca", 2).coords, 3)  # type: ignore[union-attr]


def test_a_map_without_a_place_for_every_frame_and_a_damaged_one_are_none(run: Run) -> None:
    run.write_moving_map("tsne", 2, drawn(FRAMES - 1, 2))
    run.write_moving_map("tsne", 3, drawn(FRAMES, 3))
    (run.folder / "maps" / "tsne-3.npz").write_bytes(b"PK\x03\x04 not whole")
    assert run.moving_map("tsne", 2) is None
    assert run.moving_map("tsne", 3) is None


def test_features_are_kept_of_all_frames_or_are_no_use(run: Run) -> None:
    assert not run.features_kept
    for index in range(FRAMES):
        assert not run.features_kept
        run.write_features(index, np.full((POINTS, 3), index, np.float16))
    assert run.features_kept
    assert (run.features(4) == 4).all()
    (run.folder / "features" / "00002.npz").unlink()
    assert not run.features_kept
    with pytest.raises(BadInput) as fault:
        run.features(2)
    assert fault.value.code == "frame_not_found"
    run.drop_features()
    assert not (run.folder / "features").exists()
