"""A worker that needs no torch."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from core.jobs import process
from core.jobs.spawn import ROOT
from core.runs import supervisor
from core.runs.record import Run
from core.runs.spec import Spec

WorkBy = Callable[..., None]
Until = Callable[[Callable[[], object]], None]


@pytest.fixture
def work_by(monkeypatch: pytest.MonkeyPatch) -> WorkBy:
    """``work_by("a", "command")``: what the supervisor starts as the worker of a run, followed by the run's folder."""

    def use(*command: str) -> None:
        monkeypatch.setattr(supervisor, "worker_command", lambda run: [*command, str(run.folder)])

    return use


@pytest.fixture
def fake_worker(spec: Spec, work_by: WorkBy, monkeypatch: pytest.MonkeyPatch, until: Until) -> Iterator[list[Run]]:
    """The supervisor starts ``fake_worker.py``; workers of the runs put into the list do not outlive the test."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    work_by(sys.executable, str(Path(__file__).with_name("fake_worker.py")))
    runs: list[Run] = []
    yield runs
    for run in runs:
        if run.folder.exists():
            end(run.data["worker"], until)


def end(known: dict[str, Any] | None, until: Until) -> None:
    """Kills a worker. One whose parent has not collected it yet counts as gone: that may take seconds."""
    worker = process.find(known)
    if worker is not None:
        worker.kill()
        until(lambda: process.find(known) is None)
