"""One picture of a run stays as it was read; the run itself says how things are now."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.jobs import process
from core.runs import record
from core.runs.record import Run
from core.runs.spec import Spec


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return record.create(Spec(victim="digits-badnets", images="digits"), root=tmp_path)


def test_a_snapshot_stays_while_the_run_goes_on(run: Run) -> None:
    run.update(status="running", worker=process.identity())
    before = run.snapshot()
    run.update(status="done", worker=None, result={"steps": 7}, spec=Spec(victim="signs-sig", images="signs").to_dict())
    assert (before.status, before.result, before.spec.victim) == ("running", {}, "digits-badnets")
    after = run.snapshot()
    assert (after.status, after.result, after.spec.victim) == ("done", {"steps": 7}, "signs-sig")
    assert (run.status, run.data, run.spec) == (after.status, after.data, after.spec)


def test_a_worker_that_is_gone_leaves_a_lost_run_whatever_was_written_last(run: Run) -> None:
    run.update(status="running", worker={"pid": 2**22 + 1, "started": 0.0})
    told = run.snapshot()
    assert (told.status, told.data["status"]) == ("lost", "running")


def test_whether_a_run_is_a_recording_is_known_once_it_is_written(run: Run) -> None:
    assert not run.is_recording
    run.update(recording=True)
    assert run.is_recording
    assert Run(run.folder).is_recording
