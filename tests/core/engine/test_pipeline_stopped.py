"""Whole runs that are stopped or crash: what was seen is told, and they go on to the same end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from core.events import Event, Frame, Measured, Progress, Scanned, StageStarted, Steered, Step
from core.runs.record import Run
from tests.core.whole_runs import SOON, Done, do, go_on, stop_at


def test_stopped_in_the_middle_it_goes_on_and_ends_with_the_same_weights(whole: Done, root: Path) -> None:
    def stop(run: Run, event: Event) -> None:
        if isinstance(event, Step) and event.step == 13:
            run.tell("stop")

    first = do(root, stop, scan_from=whole.run, map=False, settings=SOON)
    assert first.status == first.run.status == "stopped"
    assert isinstance(first.events[-1], Steered)
    assert first.run.data["result"] is None
    assert first.run.read_checkpoint() is not None
    assert not (first.run.folder / "model.safetensors").exists()
    first.run.tell("run")
    second = go_on(first.run, stop_at("verify"))
    assert second.of(Scanned) == []
    assert [event for event in second.of(Progress) if event.stage == "scan"] == []
    assert second.of(Measured) == []
    steps = [event.step for event in first.of(Step) + second.of(Step)]
    assert steps == list(range(1, whole.result["steps"] + 1))
    assert second.of(Step)[0].step == 14
    assert second.of(Frame) == []
    assert_same_state(second, whole)


def assert_same_state(done: Done, other: Done) -> None:
    (ours, where), (theirs, there) = done.state, other.state
    assert where == there
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def told(done: Done) -> list[int]:
    """Steps of the frames told of, each of which is on disk, and no other."""
    frames = done.of(Frame)
    assert [frame.index for frame in frames] == list(range(done.run.frame_count))
    assert all((done.run.folder / frame.file).is_file() for frame in frames)
    return [frame.step for frame in frames]


def test_stopped_the_frame_in_the_making_is_finished_and_told(whole: Done, root: Path) -> None:
    whole_at = {}

    def pause_and_stop(run: Run, event: Event) -> None:
        if isinstance(event, Step) and event.step in (3, 5):
            run.tell("pause" if event.step == 3 else "stop")
        if isinstance(event, Steered) and event.action == "pause":
            whole_at["pause"] = [frame.step for _, frame in run.events() if isinstance(frame, Frame)]
            run.tell("run")

    stopped = do(root, pause_and_stop, scan_from=whole.run, settings={"restarts": 0})
    assert whole_at["pause"] == [0, 1, 2, 3], "what was seen is told before the pause"
    assert stopped.status == "stopped"
    assert told(stopped) == [0, 1, 2, 3, 4, 5]


def test_a_crash_in_the_training_loses_no_frame(whole: Done, root: Path) -> None:
    """The weights grow by so large a factor with each step that they are soon no numbers."""
    failed = do(root, scan_from=whole.run, settings={"restarts": 0, "weight_decay": 1e5})
    assert failed.status == "failed"
    assert failed.run.data["failure"]["code"] == "training_diverged"
    steps = [event.step for event in failed.of(Step)]
    assert 2 <= len(steps) < 10
    assert told(failed) == [0, *steps]


def test_stopped_while_scanning_it_scans_again(root: Path) -> None:
    asked: list[str] = []

    def stop(run: Run, event: Event) -> None:
        asked.append(event.type)
        if isinstance(event, Progress) and event.stage == "scan":
            run.tell("stop")

    first = do(root, stop)
    assert first.status == "stopped"
    assert first.of(Scanned) == []
    assert first.run.triggers() is None
    assert first.run.frame_count == 1
    first.run.tell("run")

    def stop_again(run: Run, event: Event) -> None:
        if isinstance(event, StageStarted) and event.stage == "scan":
            run.tell("stop")

    second = go_on(first.run, stop_again)
    assert second.status == "stopped"
    assert second.of(Frame) == second.of(Measured) == [], "the first frame and measurement were kept"


def test_another_defence_that_was_stopped_goes_on_where_it_was(root: Path) -> None:
    order: dict[str, Any] = {
        "map": False,
        "defence": "nad",
        "settings": {"epochs": 2, "teacher_epochs": 1, "batch": 20, "least": 0},
    }

    def stop(run: Run, event: Event) -> None:
        if isinstance(event, Step) and event.step == 5:
            run.tell("stop")

    whole, first = do(root, stop_at("verify"), **order), do(root, stop, **order)
    assert first.status == "stopped"
    first.run.tell("run")
    second = go_on(first.run, stop_at("verify"))
    assert [event.step for event in first.of(Step) + second.of(Step)] == list(range(1, 10))
    assert_same_state(second, whole)
