"""What the stages of a run have found out so far, and the clock of a stage."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch

from core.engine.context import Context
from core.engine.live_map import LiveMap
from core.engine.subject import Subject
from core.events import Frame, Measured, Progress, Scanned, Stage, seconds_by_stage
from core.runs.arrays import TriggerFile
from core.runs.steering import Steering
from core.triggers.reconstructed import Reconstructed, from_record


@dataclass
class State:
    """The findings of the stages. A resumed run takes them from its record (``recall``).

    Attributes:
        context: the fixed part of the run.
        triggers: reconstructed triggers, the target's first, then those of other classes that stand out; the most
            conspicuous of a class first. Empty before the scan, or without one.
        restarts: further reconstructions of them from other starts, for the purification alone.
        clean_answers: the victim's answers to the test images without a trigger, int64, (n,). Only where they are known
            before ``before`` is, that is, before the scan of a model of unknown attack; else None.
        scanned: the event of the scan, or None.
        before: figures of the victim, or None while they are not measured.
        seconds: by stage, of this worker.
        earlier_seconds: by stage, of the workers before it.
        map: the map of the run.
    """

    context: Context
    triggers: list[Reconstructed] = field(default_factory=list)
    restarts: list[Reconstructed] = field(default_factory=list)
    clean_answers: torch.Tensor | None = None
    scanned: Scanned | None = None
    before: Measured | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    earlier_seconds: dict[str, float] = field(default_factory=dict)
    map: LiveMap = field(init=False)

    def __post_init__(self) -> None:
        self.map = LiveMap(self.context)

    def examine(self, subject: Subject) -> None:
        """From now on, the run is about this form of the model."""
        self.context = self.map.context = replace(self.context, subject=subject)

    @property
    def target(self) -> int | None:
        """The class the purification works against: given by the user, or found; None without a scan."""
        if self.context.spec.target is not None or self.scanned is None:
            return self.context.spec.target
        return self.scanned.target

    @property
    def attack_target(self) -> int:
        """The class that ASR is counted for: the real target if it is known."""
        card = self.context.subject.card
        target = card.target if card else self.target
        assert target is not None
        return target

    @property
    def abandoned_steps(self) -> int:
        """Steps of a first purification that cost too much BA and was done again without triggers; 0 if there is none.

        Read from the record each time, where ``core.engine.purification`` writes it before anything else changes.
        """
        return int(self.context.run.data.get("steps_before", 0))

    def trigger(self, x: torch.Tensor) -> torch.Tensor:
        """Float images (n, 3, h, w) with the real trigger if it is known, else with the first reconstructed one."""
        real = self.context.subject.trigger
        return real(x) if real else self.triggers[0](x)

    def recall(self) -> None:
        """Takes what earlier workers of this run found out from its record."""
        events = self.context.run.events()
        self.earlier_seconds = seconds_by_stage(events)
        for _, event in events:
            if isinstance(event, Measured) and event.when == "before":
                self.before = event
            elif isinstance(event, Scanned):
                self.recall_triggers()
                self.scanned = event if self.triggers else None
            elif isinstance(event, Frame):
                self.map.last = event

    def recall_triggers(self) -> None:
        """Reads the reconstructed triggers from the record."""
        self.triggers, self.restarts = self._read("trigger"), self._read("restarts")

    def _read(self, which: TriggerFile) -> list[Reconstructed]:
        found = self.context.run.triggers(which)
        return [] if found is None else from_record(found, self.context.device)


class Clock:
    """Seconds that a stage has worked, pauses left out, and an estimate of the rest.

    Args:
        steering: of the run, which counts the pauses.
        clock: of time, in seconds.
    """

    def __init__(self, steering: Steering, clock: Callable[[], float] = time.monotonic) -> None:
        self.steering = steering
        self.clock = clock
        self.start = clock() - steering.paused_seconds

    def seconds(self) -> float:
        return self.clock() - self.start - self.steering.paused_seconds

    def progress(self, stage: Stage, done: int, total: int) -> Progress:
        """An event: ``done`` of ``total`` units, and the seconds left at the pace so far."""
        left = round(self.seconds() / done * (total - done), 1) if done else None
        return Progress(stage, done, total, left)
