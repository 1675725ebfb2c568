"""The note that a job leaves: how far it is, how it ended, and what is read where its process is gone."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from core.errors import BadInput
from core.files import write_json
from core.jobs import note


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "job.json"


def test_what_was_reported_is_on_record(path: Path) -> None:
    with note.told(path) as report:
        report("look", 1, 4)
        job = note.read(path)
        assert job is not None
        assert (job.stage, job.done, job.total, job.ended) == ("look", 1, 4, False)
    assert note.read(path).ended  # type: ignore[union-attr]


def test_the_time_that_is_left_is_reckoned_from_where_the_work_began(
    path: Path,
) -> None:
    def left() -> float | None:
        return note.read(path).left  # type: ignore[union-attr]

    moments = iter([0.0, 100.0, 110.0, 500.0, 504.0])  # the start, and one for each report
    with note.told(path, clock=lambda: next(moments)) as report:
        report("load", 0, 0)
        report("map", 1, 4)  # loading took 100 seconds, a quarter of the map 10
        assert left() == 30
        report("load", 0, 0)  # asked for another one later
        assert left() is None
        report("map", 1, 2)
        assert left() == 4


@pytest.mark.parametrize(
    ("fault", "code"), [(BadInput("no_frames", "None."), "no_frames"), (OSError("x"), "job_failed")]
)
def test_a_failure_is_on_record(path: Path, fault: Exception, code: str) -> None:
    with pytest.raises(type(fault)), note.told(path):
        raise fault
    assert note.read(path).failure["code"] == code  # type: ignore[union-attr]


def test_a_disk_that_fills_up_is_no_fault_of_ours(path: Path) -> None:
    with pytest.raises(BadInput) as caught, note.told(path):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert caught.value.code == "place_lost"


def test_a_fault_of_ours_is_kept_without_the_paths_it_names(path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(OSError, match="secret"), note.told(path):
        raise OSError(2, "No such file", "/home/somebody/secret")
    assert "secret" not in str(note.read(path).failure)  # type: ignore[union-attr]
    assert "secret" in capfd.readouterr().err, "the log has it all"


def test_a_process_that_only_waits_is_not_at_work(path: Path) -> None:
    with note.told(path) as report:
        report(note.IDLE, 0, 0)
        assert not note.read(path).at_work  # type: ignore[union-attr]


def test_a_job_whose_process_is_gone_reads_as_ended_with_a_reason(path: Path) -> None:
    write_json(path, {"worker": {"pid": 1, "started": 1.0}, "stage": "look", "done": 3, "total": 10})
    job = note.read(path)
    assert job is not None
    assert (job.ended, job.done, job.failure["code"]) == (True, 3, "job_ended")


@pytest.mark.parametrize("content", [b"", b"[]", b"{"])
def test_what_is_no_note_is_none(path: Path, content: bytes) -> None:
    assert note.read(path) is None
    path.write_bytes(content)
    assert note.read(path) is None


def test_facts_that_change_meanwhile_stand_in_the_note(path: Path) -> None:
    learnt: dict[str, int] = {}
    with note.told(path, facts={"result": learnt}) as report:
        learnt["classes"] = 3
        report("images", 0, 0)
        assert (note.content(path) or {})["result"] == {"classes": 3}


@pytest.mark.parametrize(
    ("done", "total", "seconds", "expected"),
    [(25, 100, 10.0, 30.0), (100, 100, 10.0, 0.0), (0, 100, 9.0, None), (0, 0, 9.0, None), (25, 100, 0.2, None)],
)
def test_what_is_left_of_a_stage_goes_by_its_pace(
    done: int, total: int, seconds: float, expected: float | None
) -> None:
    assert note.left(done, total, seconds) == expected
