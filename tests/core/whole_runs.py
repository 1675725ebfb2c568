"""Whole runs on the shipped victim of the digits, done in this process, with all that they tell."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from core.engine import worker
from core.events import Event, Measured, Scanned, StageStarted
from core.runs import record
from core.runs.event_log import EventWriter
from core.runs.record import Run
from core.runs.spec import Spec
from core.victims import load_victim

VICTIM = "digits-badnets"
SPEC = Spec(victim=VICTIM, images="digits", points=200, projection="pca", device="cpu")
SOON = {"anneal": 50}  # settings: fewer steps than a user gets, and enough for this victim
STAGES = ["load", "measure", "scan", "purify", "verify"]


class Done(NamedTuple):
    run: Run
    status: str
    events: list[Event]

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def result(self) -> dict[str, Any]:
        return self.run.data["result"]

    @property
    def state(self) -> tuple[dict[str, Tensor], dict[str, float]]:
        """All that the purification has come to: weights, average, momentum, and where in its schedule it is."""
        found = self.run.read_checkpoint()
        assert found is not None
        return found


def do(
    root: Path,
    on_event: Callable[[Run, Event], None] = lambda run, event: None,
    scan_from: Run | None = None,
    octaves: Mapping[int, float] | None = None,
    others: Sequence[int] = (),
    **changes: Any,
) -> Done:
    """A run, from start to end.

    Args:
        scan_from: a run whose scan is on record here, as if a worker had died then.
        octaves: the suspicion of some classes, in place of what that scan found.
        others: classes that stood out beside the one that it named.
    """
    run = record.create(Spec(**SPEC.to_dict() | changes), root=root)
    if scan_from is not None:
        _take_over(scan_from, run, octaves or {}, others)
    return go_on(run, on_event)


def _take_over(scanned: Run, run: Run, octaves: Mapping[int, float], others: Sequence[int]) -> None:
    with EventWriter(run.folder / "events.jsonl") as log:
        for moment, event in scanned.events():
            if isinstance(event, (StageStarted, Measured)):
                log.append(moment, event)
            if isinstance(event, Scanned):
                suspicion = [octaves.get(label, value) for label, value in enumerate(event.suspicion)]
                log.append(moment, replace(event, suspicion=suspicion, others=[*others]))
                break
    shutil.copy(scanned.folder / "trigger.npz", run.folder)


def as_a_strangers(path: Path) -> Path:
    """Writes the victim's weights as somebody else's program would."""
    tensors = load_victim(VICTIM).net.state_dict()
    torch.save({"state_dict": {f"module.{name}": value.clone() for name, value in tensors.items()}}, path)
    return path


def stop_at(stage: str) -> Callable[[Run, Event], None]:
    """Has a run stopped as this stage begins. The proof takes longer than the rest together: few need to see it."""

    def stop(run: Run, event: Event) -> None:
        if isinstance(event, StageStarted) and event.stage == stage:
            run.tell("stop")

    return stop


def go_on(run: Run, on_event: Callable[[Run, Event], None] = lambda run, event: None) -> Done:
    seen: list[Event] = []

    def see(event: Event) -> None:
        seen.append(event)
        on_event(run, event)

    status = worker.work(run.folder, on_event=see)
    return Done(Run(run.folder), status, seen)
