"""Runs that wait for one another, with real worker processes."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace

import pytest

from core.errors import BadInput
from core.jobs import process
from core.runs import queue, record
from core.runs.record import Run
from core.runs.spec import Spec
from tests.conftest import DiskFull
from tests.core.runs.conftest import Until, WorkBy


@pytest.fixture
def three(spec: Spec, fake_worker: list[Run], until: Until) -> list[Run]:
    """Three runs in a queue; the first is half-way and goes on when there is a file ``finish``."""
    runs = queue.start([replace(spec, seed=seed) for seed in range(3)])
    fake_worker += runs
    until(lambda: runs[0].frame_count >= 6)
    return runs


def states(runs: list[Run]) -> list[str]:
    return [run.status for run in runs]


def long_ago(runs: list[Run]) -> None:
    """They were queued so long ago that their workers would have come up by now."""
    for run in runs:
        run.update(queued="2026-01-01T00:00:00+00:00")


def let_go(*runs: Run) -> None:
    for run in runs:
        (run.folder / "finish").touch()


def test_each_run_begins_when_the_one_before_it_has_ended(three: list[Run], until: Until) -> None:
    assert states(three) == ["running", "queued", "queued"]
    assert len({run.data["group"] for run in three}) == 1
    let_go(three[0])
    until(lambda: three[1].frame_count >= 6)
    assert states(three) == ["done", "running", "queued"]
    let_go(*three)
    until(lambda: states(three) == ["done"] * 3)
    ended = [run.data["ended"] for run in three]
    assert ended == sorted(ended)
    assert [run.data["after"] for run in three] == [None] * 3


def test_a_run_waits_however_long_the_one_before_it_takes(three: list[Run]) -> None:
    long_ago(three[1:])
    assert states(three) == ["running", "queued", "queued"]


def test_after_a_worker_that_was_killed_the_others_are_lost(three: list[Run], until: Until) -> None:
    worker = process.find(three[0].data["worker"])
    assert worker is not None
    worker.kill()
    long_ago(three[1:])
    until(lambda: states(three) == ["lost"] * 3)


def test_taken_up_again_they_go_on_in_their_order(three: list[Run], until: Until) -> None:
    queue.stop(three)
    until(lambda: states(three) == ["stopped"] * 3)
    assert [run.frame_count for run in three[1:]] == [0, 0]
    let_go(*three)
    queue.resume(three)
    until(lambda: states(three) == ["done"] * 3)


def test_none_is_taken_up_while_one_is_at_work(three: list[Run]) -> None:
    with pytest.raises(BadInput) as caught:
        queue.resume(three)
    assert caught.value.code == "run_already_running"


def test_stopped_one_by_one_the_next_begins(three: list[Run], until: Until) -> None:
    three[0].tell("stop")
    until(lambda: three[1].frame_count >= 6)
    assert states(three) == ["stopped", "running", "queued"]


def test_one_mistake_and_nothing_is_begun(spec: Spec) -> None:
    with pytest.raises(BadInput):
        queue.start([spec, replace(spec, dims=5)])
    assert record.list_runs(recordings=False) == []


@pytest.fixture
def waiting(spec: Spec, work_by: WorkBy) -> list[Run]:
    """Three runs in a queue, of which the first has ended; a worker does nothing."""
    work_by("true")
    runs = queue.start([replace(spec, seed=seed) for seed in range(3)])
    runs[0].update(status="done", ended=record.now())
    return runs


def test_one_that_cannot_be_started_says_why_and_the_next_has_its_turn(waiting: list[Run]) -> None:
    (waiting[1].folder / "worker.log").mkdir()  # so that it cannot be opened
    assert [run.id for run in queue.start_next(waiting[0])] == [waiting[2].id]
    assert waiting[1].status == "failed"
    failure = waiting[1].data["failure"]
    assert failure["code"] == "run_not_started"
    assert str(waiting[1].folder) not in failure["message"]
    assert waiting[2].data["after"] is None


def test_a_full_disk_raises_nothing_and_loses_no_run(
    waiting: list[Run], disk_full: DiskFull, capsys: pytest.CaptureFixture[str]
) -> None:
    with disk_full():
        assert queue.start_next(waiting[0]) == []
    assert "No space left" in capsys.readouterr().err
    assert [run.data["after"] for run in waiting[1:]] == [waiting[0].id, waiting[1].id]
    waiting[0].update(ended="2026-01-01T00:00:00+00:00")
    long_ago(waiting[1:])
    assert states(waiting) == ["done", "lost", "lost"]
    queue.resume(waiting)
    assert [run.data["after"] for run in waiting[1:]] == [None, waiting[1].id]


def test_a_run_whose_folder_is_gone_does_not_hold_up_the_rest(waiting: list[Run]) -> None:
    class Gone(Run):
        @property
        def data(self) -> dict:
            if hasattr(self, "id"):
                shutil.rmtree(self.folder, ignore_errors=True)
            return super().data

    listed = record.list_runs
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(record, "list_runs", lambda *a, **k: [Gone(waiting[1].folder), *listed(*a, **k)])
        assert queue.start_next(waiting[0]) == []
    assert not waiting[1].folder.exists()
    assert waiting[2].folder.exists()


@pytest.mark.parametrize("act", [queue.stop, queue.resume])
def test_what_cannot_be_written_down_is_told_in_a_sentence(
    waiting: list[Run], act: Callable[[list[Run]], None], disk_full: DiskFull
) -> None:
    if act is queue.resume:
        waiting[0].update(ended="2026-01-01T00:00:00+00:00")
        long_ago(waiting[1:])
    with disk_full(), pytest.raises(BadInput, match="No space left") as caught:
        act(waiting)
    assert caught.value.code == "queue_not_written"


def test_a_queue_that_cannot_be_written_leaves_no_runs_behind(spec: Spec, disk_full: DiskFull) -> None:
    for files in range(6):  # of those that each run begins with
        with disk_full(after=files), pytest.raises(BadInput, match="No space left"):
            queue.start([spec, spec])
    assert record.list_runs(recordings=False) == []


def test_a_worker_that_cannot_be_started_is_told_in_a_sentence(spec: Spec, work_by: WorkBy) -> None:
    work_by("/nowhere/at/all")
    with pytest.raises(BadInput, match="could not be started") as caught:
        queue.start([spec, spec])
    assert caught.value.code == "run_not_started"
    assert record.list_runs(recordings=False) == []
