"""A worker that needs no torch."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from core.jobs import process
from core.jobs.spawn import ROOT
from core.runs import supervisor
from core.runs.record import Run
from core.runs.spec import Spec


@pytest.fixture
def fake_worker(spec: Spec, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Run]]:
    """The supervisor starts ``fake_worker.py``; workers of the runs put into the list do not outlive the test."""
    script = Path(__file__).with_name("fake_worker.py")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setattr(supervisor, "worker_command", lambda run: [sys.executable, str(script), str(run.folder)])
    runs: list[Run] = []
    yield runs
    for run in runs:
        worker = process.find(run.data["worker"]) if run.folder.exists() else None
        if worker is not None:
            worker.kill()
            psutil.wait_procs([worker], timeout=10)
