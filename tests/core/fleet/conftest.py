"""Fleets made by hand: folders of files that nobody opens, and runs that end at once with a made-up result."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from core.events import Event, Finished, Measured, Scanned, StageStarted
from core.fleet import fork_server
from core.jobs import process
from core.jobs.spawn import ROOT
from core.runs import record
from core.runs.event_log import EventWriter
from core.runs.record import Run
from core.runs.spec import Spec
from core.triggers.kept import KeptTriggers
from tests.core.fleet import made_up


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DISSOLVE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A folder of five checkpoints, two of them the same, and what is none."""
    return made_up.models(tmp_path / "models")


@pytest.fixture
def fake(home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """Workers that need no torch, see ``made_up``; gives the file that each writes a line to when it begins.

    None outlives the test.
    """
    began = tmp_path / "began"
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("FLEET_BEGAN", str(began))
    monkeypatch.setattr(fork_server, "command", made_up.fork_server_command)
    yield began
    for folder in tmp_path.rglob("runs/*/run.json"):
        worker = process.find(Run(folder.parent).data.get("worker"))
        if worker is not None:
            worker.kill()
            psutil.wait_procs([worker], timeout=10)


@pytest.fixture
def make_run(tmp_path: Path, home: Path) -> Callable[..., Run]:
    """A scan or a cure that is over: ``make_run(tmp_path / "x.pt", verdict="none")``."""

    def make(weights: Path, status: str = "done", scan: bool = True, **result: Any) -> Run:
        weights.write_bytes(b"weights of " + weights.name.encode())
        spec = Spec(weights=str(weights), images="digits", map=False, scan_only=scan)
        run = record.create(spec, tmp_path / "fleet" / "runs")
        events: list[Event] = [StageStarted("scan"), Scanned(3, 4.0, [1.0], [1.0], "trigger.npz")]
        found = made_up.RESULT | result
        with EventWriter(run.folder / "events.jsonl") as log:
            for event in (*events, Measured("before", 90, 90, 97, "estimated", 10, 9), Finished(found)):
                log.append(1.0, event)
        run.write_triggers(KeptTriggers.of([("mask", 3, 1.0, made_up.MASK, made_up.PATTERN)]))
        run.update(status=status, result=found if status == "done" else None)
        return run

    return make
