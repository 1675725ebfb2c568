"""Runs that wait for one another, with real worker processes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from core.errors import BadInput
from core.runs import process, queue, record
from core.runs.record import Run
from core.runs.spec import Spec

Until = Callable[[Callable[[], object]], None]


@pytest.fixture
def three(spec: Spec, fake_worker: list[Run], until: Until) -> list[Run]:
    """Three runs in a queue; the first is half-way and goes on when there is a file ``finish``."""
    runs = queue.start([replace(spec, seed=seed) for seed in range(3)])
    fake_worker += runs
    until(lambda: runs[0].frame_count >= 6)
    return runs


def states(runs: list[Run]) -> list[str]:
    return [run.status for run in runs]


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


def test_a_run_waits_however_long_the_one_before_it_takes(three: list[Run], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "GRACE", 0.0)
    assert states(three) == ["running", "queued", "queued"]


def test_after_a_worker_that_was_killed_the_others_are_lost(
    three: list[Run], until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = process.find(three[0].data["worker"])
    assert worker is not None
    worker.kill()
    monkeypatch.setattr(record, "GRACE", 0.0)
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
