"""A workshop for run tests: a home of its own, a spec that is valid, a worker that needs no torch, and patience."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import psutil
import pytest

from core import paths, victims
from core.jobs import process
from core.jobs.spawn import ROOT
from core.runs import supervisor
from core.runs.record import Run
from core.runs.spec import Spec


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Spec:
    """A valid spec; runs are kept in ``tmp_path / "home"`` and nothing is shipped."""
    monkeypatch.setenv("DISSOLVE_HOME", str(tmp_path / "home"))
    for name in ("VICTIMS", "RECORDINGS"):
        (tmp_path / name).mkdir()
        monkeypatch.setattr(paths, name, tmp_path / name)
    card = victims.Card(
        name="signs-badnets", data="signs", attack="badnets", attack_settings={}, target=3, target_name="80",
        arch="small", classes=12, mean=(0, 0, 0), std=(1, 1, 1), seed=0, poison_rate=0.1, training={},
        train_images=1, ba=97.0, asr=99.0, sha256="",
    )  # fmt: skip
    (tmp_path / "VICTIMS" / "signs-badnets.json").write_text(json.dumps(asdict(card)))
    return Spec(victim="signs-badnets", images="signs")


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
