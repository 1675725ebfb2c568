"""What the stages of a run hand on to one another."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import torch

from core.data.imageset import ImageSet
from core.defenses import DEFENCES
from core.engine.subject import Subject
from core.events import AsrKind, Frame, Measured, Progress, Scanned, Stage, Stamps, seconds_by_stage
from core.featuremap.frames import FrameTaker
from core.models.classifier import Classifier
from core.runs.arrays import TriggerFile
from core.runs.record import Run
from core.runs.spec import Spec
from core.runs.steering import Steering
from core.triggers.reconstructed import Reconstructed, recalled

Kept = tuple[Classifier, Measured, bool]  # the purified model, its figures, and whether BA holds


@dataclass
class State:
    """``settings``: of the defence. ``triggers``: reconstructed, the best first; empty before or without a scan.

    ``restarts``: those reconstructed from other starts, for the purification alone. ``stamps``: whether the
    purification took random stamps, in place of triggers ("alone") or with them ("beside"). ``clean``: what the model
    as it came takes the test images for, where that is known before the rest of ``before``. ``kept``: what comes of it,
    where that is known before the end. ``seconds``: of each stage; ``earlier``: those of the workers before this one.
    """

    run: Run
    steering: Steering
    spec: Spec
    images: ImageSet
    subject: Subject
    device: torch.device
    settings: Any
    frames: FrameTaker | None = None
    triggers: list[Reconstructed] = field(default_factory=list)
    restarts: list[Reconstructed] = field(default_factory=list)
    clean: torch.Tensor | None = None
    before: Measured | None = None
    scanned: Scanned | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    earlier: dict[str, float] = field(default_factory=dict)
    steps: int = 0
    stamps: Stamps | None = None
    kept: Kept | None = None
    last: Frame | None = None

    @property
    def needs_scan(self) -> bool:
        """Whether triggers are needed: by the order, by the defence, or to estimate the ASR of a stranger's model."""
        return self.spec.scan_only or DEFENCES[self.spec.defence].needs_triggers or self.subject.trigger is None

    @property
    def target(self) -> int | None:
        """The class the purification works against: given, or found; None where neither was asked for."""
        if self.spec.target is not None or self.scanned is None:
            return self.spec.target
        return self.scanned.target

    @property
    def given_up(self) -> int:
        """Steps of a purification against triggers that cost too much BA, and was begun anew without them; or 0."""
        return int(self.run.data.get("steps_before", 0))

    @property
    def asr_kind(self) -> AsrKind:
        return "true" if self.subject.trigger else "estimated"

    @property
    def attack_target(self) -> int:
        """The class that ASR is counted for: the real one where it is known."""
        target = self.subject.card.target if self.subject.card else self.target
        assert target is not None
        return target

    def trigger(self, x: torch.Tensor) -> torch.Tensor:
        """The real trigger where it is known, else the reconstructed one that shows the backdoor best."""
        return self.subject.trigger(x) if self.subject.trigger else self.triggers[0](x)

    def recall(self) -> None:
        """What an earlier worker of this run has already found out."""
        events = self.run.events()
        self.earlier = seconds_by_stage(events)
        for _, event in events:
            if isinstance(event, Measured) and event.when == "before":
                self.before = event
            elif isinstance(event, Scanned):
                self.recall_triggers()
                self.scanned = event if self.triggers else None
            elif isinstance(event, Frame):
                self.last = event

    def recall_triggers(self) -> None:
        """The reconstructed triggers, as the record has them."""
        self.triggers, self.restarts = self._recalled("trigger"), self._recalled("restarts")

    def _recalled(self, which: TriggerFile) -> list[Reconstructed]:
        found = self.run.triggers(which)
        return [] if found is None else recalled(found, self.device)


class Clock:
    """Seconds a stage has worked, pauses left out, and what that says of the rest."""

    def __init__(self, steering: Steering) -> None:
        self.steering = steering
        self.start = time.monotonic() - steering.paused_seconds

    def seconds(self) -> float:
        return time.monotonic() - self.start - self.steering.paused_seconds

    def progress(self, stage: Stage, done: int, total: int) -> Progress:
        left = round(self.seconds() / done * (total - done), 1) if done else None
        return Progress(stage, done, total, left)
