"""Whole runs on the shipped victim of the digits, done in this process, with all that they tell."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from core.engine import worker
from core.events import Event
from core.runs import record
from core.runs.record import Run
from core.runs.spec import Spec

VICTIM = "digits-badnets"
SPEC = Spec(victim=VICTIM, images="digits", points=200, projection="pca", device="cpu")
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


def do(root: Path, on_event: Callable[[Run, Event], None] = lambda run, event: None, **changes: Any) -> Done:
    run = record.create(Spec(**SPEC.to_dict() | changes), root=root)
    return go_on(run, on_event)


def go_on(run: Run, on_event: Callable[[Run, Event], None] = lambda run, event: None) -> Done:
    seen: list[Event] = []

    def see(event: Event) -> None:
        seen.append(event)
        on_event(run, event)

    status = worker.work(run.folder, on_event=see)
    return Done(Run(run.folder), status, seen)
