"""Processes of this machine: how many at once, and with how many threads."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.fleet.engines.local import Local
from core.runs import record
from core.runs.record import Run
from core.runs.spec import Spec
from tests.core.fleet.made_up import models


def created(folder: Path, name: str) -> Run:
    return record.create(Spec(weights=str(folder / name), images="digits", scan_only=True, map=False))


def all_ended(at: Local) -> list[Run]:
    found: list[Run] = []
    while at.going:
        found += at.ended()
    return found


@pytest.mark.parametrize(("cores", "workers", "threads"), [(8, 2, 4), (8, 3, 2), (2, 5, 1)])
def test_workers_share_the_cores(
    fake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cores: int, workers: int, threads: int
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    at = Local(workers, shared=cores)
    at.start(created(models(tmp_path / "models"), "none.pt"))
    assert [run.status for run in all_ended(at)] == ["done"]
    assert fake.read_text() == f"scan none.pt {threads}\n"


def test_a_user_who_wants_fewer_threads_gets_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert (Local(1, shared=8).threads, Local(4, shared=8).threads) == (3, 2)


def test_it_is_full_with_as_many_as_asked_for_and_stops_all(fake: Path, tmp_path: Path) -> None:
    folder = models(tmp_path / "models", ("hangs.pt", "hangs-1.pt"))
    at = Local(2)
    at.start(created(folder, "hangs.pt"))
    assert not at.full
    at.start(created(folder, "hangs-1.pt"))
    assert at.full
    runs = list(at.going)
    at.stop()
    assert [run.status for run in runs] == ["stopped", "stopped"]
    assert at.going == []


def test_a_run_that_was_stopped_goes_on(fake: Path, tmp_path: Path) -> None:
    folder = models(tmp_path / "models", ("hangs.pt",))
    run = created(folder, "hangs.pt")
    at = Local(1)
    at.start(run)
    at.stop()
    (folder / "go").touch()
    at.start(run)
    assert [found.status for found in all_ended(at)] == ["done"]
