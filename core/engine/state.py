"""What the stages of a run have found out so far, and the clock of a stage."""

from __future__ import annotations

import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field, replace

import torch

from core.engine.context import Context
from core.engine.live_map import LiveMap
from core.engine.proven import Proven
from core.engine.subject import Subject
from core.events import Frame, Measured, Progress, Scanned, Stage, seconds_by_stage
from core.models.classifier import Classifier
from core.runs.arrays import TriggerFile
from core.runs.steering import Steering
from core.triggers.reconstructed import Reconstructed, from_record

KINDS: tuple[TriggerFile, ...] = ("trigger", "restarts")  # of triggers that a purification is made against


@dataclass
class State:
    """The findings of the stages. A resumed run takes them from its record (``recall``).

    Attributes:
        context: the fixed part of the run.
        triggers: reconstructed triggers, the target's first, then those of other classes that stand out; the most
            conspicuous of a class first. Empty before the scan, or without one.
        restarts: further triggers of their classes, in every form, and warps, for the purification alone.
        earlier: the purifications of this run that are over and that another one follows.
        further_triggers: of the classes that the proofs of these named, of the class named last first, and more
            reconstructions of them.
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
    earlier: list[Proven] = field(default_factory=list)
    further_triggers: list[Reconstructed] = field(default_factory=list)
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
    def number(self) -> int:
        """Which purification of the run is next or under way, from 1."""
        return len(self.earlier) + 1

    @property
    def start(self) -> Classifier:
        """The model that it starts from: the victim, or the one purified last."""
        return self.earlier[-1].purified.model if self.earlier else self.context.subject.model

    @property
    def current_target(self) -> int:
        """The class that it is made against, beside those of the purifications before it."""
        named = self.earlier[-1].second if self.earlier else None
        return self.attack_target if named is None else named

    @property
    def source_models(self) -> dict[int, Classifier]:
        """The classes that only a proof of this run named, each with the model on which it stood out."""
        return {one.second: one.purified.model for one in self.earlier if one.second is not None}

    @property
    def steps_before(self) -> int:
        """Steps of the run that precede the purification under way."""
        return self.earlier[-1].steps if self.earlier else self.abandoned_steps

    def keep(self, proven: Proven) -> None:
        """Records a purification that another one follows, and drops its checkpoint."""
        run = self.context.run
        run.write_purified(self.number, proven.purified.model.net.state_dict())
        self._append(proven)
        run.update(purifications=[one.to_record() for one in self.earlier])
        run.drop_checkpoint()
        self.recall_triggers()

    def _append(self, proven: Proven) -> bool:
        """Adds a purification with its weights as the record has them, whoever made it; False if it has none."""
        tensors = self.context.run.read_purified(self.number)
        if tensors is None:
            return False
        model = deepcopy(self.context.subject.model)
        model.net.load_state_dict(tensors)
        self.earlier.append(replace(proven, purified=replace(proven.purified, model=model)))
        return True

    def spent(self, stage: Stage, clock: Clock) -> None:
        """Counts the time of a stage, or of one more part of it."""
        self.seconds[stage] = round(self.seconds.get(stage, 0.0) + clock.seconds(), 2)

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
        for entry in self.context.run.data.get("purifications", []):
            fresh = self._read("fresh", self.number)
            if not self._append(Proven.from_record(entry, self.context.subject.model, next(iter(fresh), None))):
                break  # its weights cannot be read: it is done again
        if self.earlier:
            self.recall_triggers()

    def recall_triggers(self) -> None:
        """Reads the reconstructed triggers from the record."""
        self.triggers, self.restarts = self._read("trigger"), self._read("restarts")
        numbers = range(self.number, 1, -1)
        self.further_triggers = [one for number in numbers for which in KINDS for one in self._read(which, number)]

    def _read(self, which: TriggerFile, number: int = 1) -> list[Reconstructed]:
        found = self.context.run.triggers(which, number)
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
        return Progress(stage, done, total, self.left(done / total) if total else None)

    def left(self, share: float) -> float | None:
        """Seconds left at the pace so far; None before anything is done. ``share``: of the work that is done, 0-1."""
        return round(self.seconds() / share * (1 - share), 1) if share else None
