"""Recordings: what is kept, and how a small one is made from a long run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from core.defenses import DEFENCES
from core.engine import recording
from core.errors import BadInput
from core.events import Finished, Frame, Step
from core.runs import record
from core.runs.event_log import EventWriter
from core.runs.record import Run
from core.runs.spec import Spec

PLACES = np.array([[0, 0.123456], [10, 2], [5, 5], [1, 9]])


@pytest.fixture
def done(spec: Spec) -> Run:
    """A run of 40 frames, each of which says in its places which one it is."""
    run = record.create(spec)
    run.write_samples(np.arange(4), np.arange(4), np.arange(4) > 1, np.arange(4) - 2)
    (run.folder / "thumbs.webp").write_bytes(b"pixels")
    (run.folder / "model.safetensors").write_bytes(b"weights")
    with EventWriter(run.folder / "events.jsonl") as log:
        for index in range(40):
            file = run.write_frame(index, index + PLACES, np.zeros(4), np.zeros(4))
            log.append(index, Frame(index, 2 * index, file, 90.0, 100.0 - index, "true", 1.0, 0.9))
            log.append(index, Step(2 * index + 1, 80, 0.01, {"clean": 1.0}))
        log.append(41, Finished({"out": str(run.folder)}))
    run.update(status="done", result={"out": str(run.folder)})
    return run


def frames(run: Run) -> list[Frame]:
    return [event for _, event in run.events() if isinstance(event, Frame)]


def test_a_recording_keeps_every_frame_and_no_path_of_the_machine(done: Run) -> None:
    made = recording.make(done, "shipped")
    assert made.is_recording
    assert made.status == "done"
    assert frames(made) == frames(done)
    assert made.frame_count == 40
    assert all(str(done.folder) not in path.read_text() for path in made.folder.glob("*.json*"))


def test_a_whole_one_has_maps_of_every_frame_and_no_features(done: Run) -> None:
    assert recording.make(done, "older").moving_map("tsne", 2) is None, "a run that kept no features"
    for index in range(40):
        done.write_features(index, (PLACES + index).astype(np.float16))
    made = recording.make(done, "shipped")
    for method, dims in recording.MAPS:
        found = made.moving_map(method, dims)
        assert found is not None
        assert found.coords.shape == (40, 4, dims)
    assert not (made.folder / "features").exists()
    assert not (recording.make(done, "small", frames=8).folder / "maps").exists()


def test_a_small_one_keeps_the_ends_and_more_of_the_beginning_and_is_numbered_without_gaps(done: Run) -> None:
    made = recording.make(done, "small", frames=8)
    kept = frames(made)
    assert [frame.index for frame in kept] == list(range(made.frame_count))
    assert 5 <= len(kept) <= 9
    steps = [frame.step for frame in kept]
    assert steps[0] == 0
    assert steps[-1] == 78
    gaps = np.diff(steps)
    assert gaps[0] < gaps[-1]
    for frame in kept:
        places = made.frame(frame.index).coords
        assert np.abs(places - (frame.step / 2 + PLACES)).max() < 10 / 2000, "the picture is still that of its event"
    assert sum(isinstance(event, Step) for _, event in made.events()) == 40
    assert not (made.folder / "thumbs.webp").exists()
    assert not (made.folder / "model.safetensors").exists()
    assert (done.folder / "frames" / "00013.npz").exists(), "the run itself stays whole"


def test_only_a_run_that_is_done_can_be_recorded(done: Run, tmp_path: Path) -> None:
    done.update(status="stopped")
    with pytest.raises(BadInput) as caught:
        recording.make(done, "half", tmp_path)
    assert caught.value.code == "recording_not_done"
    assert json.loads((done.folder / "run.json").read_text())["recording"] is False


@pytest.mark.parametrize("defence", DEFENCES)
def test_of_all_defences_that_of_mcl_is_whole_and_the_others_stand_beside_it(
    done: Run, tmp_path: Path, defence: str
) -> None:
    done.update(spec=done.data["spec"] | {"defence": defence})
    made = recording.make_one_of_all(done, tmp_path)
    assert made.spec.defence == defence
    assert made.folder.parent == tmp_path
    if defence == "mcl":
        assert (made.folder.name, made.frame_count) == ("signs-badnets", 40)
    else:
        assert made.folder.name == f"signs-badnets-{defence}"
        assert 5 < made.frame_count <= recording.SMALL_RECORDING_FRAMES + 1
