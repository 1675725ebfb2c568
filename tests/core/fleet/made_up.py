"""Models that are files of a few words, and workers whose finding stands in the file's name.

``strong-3.pt`` is found to have strong signs of class 3, ``none.pt`` none, ``broken.pt`` cannot be read, ``hangs.pt``
waits for a file ``go`` beside it or beside the log of what began, ``dies.pt`` ends its worker by force,
``withheld-3.pt`` has signs and is not cured, and ``swapped.pt`` is replaced by one without signs just before its worker
reads it.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from core.engine import worker as project_worker
from core.errors import BadInput
from core.events import Event, Finished, Measured, Scanned, StageStarted
from core.fleet import fork_server
from core.runs import hashes
from core.runs.record import Run
from core.runs.steering import Steering
from core.triggers.kept import KeptTriggers

RESULT: dict[str, Any] = {
    "target": 3, "target_name": "three", "verdict": "strong", "evidence": {"suspicion": 5.0}, "ba_before": 90.0,
    "asr_before": 97.0, "seconds": {"load": 2.0, "measure": 0.5, "scan": 10.0},
}  # fmt: skip
MASK, PATTERN = np.ones((1, 8, 8), np.float32), np.full((3, 8, 8), 0.25, np.float32)
NAMES = ("strong-3.pt", "none.pt", "some-1.pt", "broken.pt", "deep/er/copy of strong-3.safetensors")


def models(folder: Path, names: tuple[str, ...] = NAMES) -> Path:
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(file.stem.removeprefix("copy of "))
    (folder / "notes.txt").write_text("no model")
    (folder / ".hidden.pt").write_text("no model either")
    return folder


def pipeline(run: Run, steering: Steering) -> Iterator[Event]:
    file = Path(str(run.spec.weights))
    if file.read_text() == "swapped":
        file.write_text("none")
    run.update(inputs=hashes.bind(run).hashes)
    grade, _, target = file.read_text().partition("-")
    kind = "scan" if run.spec.scan_only else "purify"
    with open(os.environ["FLEET_BEGAN"], "a") as log:
        log.write(f"{kind} {file.name} {os.environ.get('OMP_NUM_THREADS')}\n")
    if grade == "broken":
        raise BadInput("not_weights", f"{file.name} is broken.", file=file.name)
    if grade == "dies":
        os.kill(os.getpid(), signal.SIGKILL)
    gates = [folder / "go" for folder in (file.parent, Path(os.environ["FLEET_BEGAN"]).parent)]
    while grade == "hangs" and not any(gate.exists() for gate in gates):
        steering.check()
        time.sleep(0.005)
    cured = grade != "withheld"
    grade = {"hangs": "none", "withheld": "strong"}.get(grade, grade)
    before = [event for _, event in run.events() if isinstance(event, Scanned)]
    run.write_triggers(KeptTriggers.of([("mask", int(target or 0), 1.0, MASK, PATTERN)]))
    yield StageStarted(kind)  # type: ignore[arg-type]
    if not before:
        yield Scanned(int(target or 0), 4.0, [1.0], [1.0], "trigger.npz", verdict=grade)
    yield Measured("before", 90.0, 90.0, 97.0, "estimated", 10, 9)
    result = RESULT | {"verdict": grade, "target": int(target or 0), "recalled": bool(before)}
    if kind == "purify":
        if cured:
            (run.folder / "model.safetensors").write_bytes(b"cured")
        result |= {
            "cure": "holds" if cured else "failed",
            "ba_after": 89.0,
            "asr_after": 1.0,
            "seconds": {"scan": 11.0, "purify": 10.0, "verify": 4.0},
        }
    yield Finished(result)


def fork_server_command() -> list[str]:
    return [sys.executable, __file__]


if __name__ == "__main__":
    fork_server.serve(lambda folder: project_worker.work(folder, pipeline))
