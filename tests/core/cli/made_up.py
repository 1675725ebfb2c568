"""Runs that end at once with a made-up result, for the command line to tell of, and a home of their own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core import victims
from core.engine import worker
from core.events import Event, Finished, Frame, Measured, Progress, Scanned, StageStarted, Step
from core.runs import record
from core.runs.record import Run
from core.runs.steering import Steering

RESULT = {
    "target": 3, "anomaly_index": 4.25, "verdict": "strong", "asr_kind": "true", "ba_before": 97.0, "ba_after": 96.5,
    "evidence": {"gap": 3.1}, "clean_images": 500,
    "asr_before": 99.5, "asr_after": float("nan"), "seconds": {"load": 0.5, "scan": 9.0}, "device": "cpu",
    "cure": "holds", "cure_reasons": [], "proof": {"true": {"asr": 0.3}},
    "target_found": 3, "stamps": None, "arch": "small", "names": {"body.weight": "fc.weight"},
    "normalize": "half", "of_the_future": 1,
    "tried": [{"name": "half", "accuracy": 99.4}, {"name": "mnist", "accuracy": 99.0}],
    "found": [{"code": "under", "message": "Weights under net.", "facts": {}}],
}  # fmt: skip
WORK = worker.work


def pipeline(run: Run, steering: Steering, result: dict[str, Any] = RESULT) -> Iterator[Event]:
    """Two frames and a result, as the real one would give them."""
    run.update(classes=["stop", "give way", "30", "80"])
    yield StageStarted("scan")
    yield Progress("scan", 1, 2, 3.0)
    kind = result["asr_kind"]
    yield Measured("before", 97.0, 96.0, 99.5, kind, 10, 9)
    if result["verdict"]:
        verdict, facts = result["verdict"], result["evidence"]
        yield Scanned(3, 4.25, [9.0, 8.0, 9.0, 1.0], [1.0] * 4, "trigger.npz", verdict=verdict, facts=facts)
    if not run.spec.scan_only:
        yield StageStarted("purify")
        for index, asr in enumerate((99.5, 4.0)):
            file = run.write_frame(index, np.zeros((3, 2)), [0] * 3, [0] * 3)
            yield Step(index, 2, 0.1, {"mcl": 1.0})
            yield Frame(index, index * 4, file, 97.0, asr, "true", 100 - asr, 0.9)
        (run.folder / "model.safetensors").write_bytes(b"")
        yield Measured("after", 96.5, 96.0, 4.0, kind, 10, 9)
    yield Finished(result)


def make_home(tmp_path: Path, shipped: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with two shipped victims, and a pipeline that needs no torch; gives the folder of its runs."""
    monkeypatch.setenv("DISSOLVE_HOME", str(tmp_path / "home"))
    for victim, data in (("signs-badnets", "signs"), ("digits-sig", "digits")):
        (shipped / "victims" / f"{victim}.json").write_text(json.dumps(asdict(card(victim, data))))
    use(monkeypatch, pipeline)
    return tmp_path / "home" / "runs"


def card(name: str, data: str) -> victims.Card:
    return victims.Card(
        name=name, data=data, attack="badnets", attack_settings={}, target=3, target_name="80", arch="small", classes=4,
        mean=(0, 0, 0), std=(1, 1, 1), seed=0, poison_rate=0.1, training={}, train_images=1, ba=97.0, asr=99.0,
        sha256="",
    )  # fmt: skip


def use(monkeypatch: pytest.MonkeyPatch, made_up: Any) -> None:
    """Runs do what ``made_up`` does in the place of the real pipeline."""
    monkeypatch.setattr(worker, "work", partial(WORK, pipeline=made_up))


def raising(error: BaseException) -> Any:
    def fails(run: Run, steering: Steering) -> Iterator[Event]:
        yield StageStarted("load")
        raise error

    return fails


def only_run() -> Run:
    (run,) = record.list_runs()
    return run
