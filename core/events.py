"""Events of a run, as typed data: all that leaves the engine while it works."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from typing import Any, ClassVar, Literal

Stage = Literal["load", "measure", "scan", "purify", "verify"]
STAGES: tuple[Stage, ...] = ("load", "measure", "scan", "purify", "verify")
AsrKind = Literal["true", "estimated"]
Stamps = Literal["alone", "beside"]  # random stamps: in place of reconstructed triggers, or with them
Cure = Literal["holds", "doubt", "failed"]  # of a purified model: the backdoor is gone; may be there; is there


@dataclass(frozen=True)
class Event:
    """Base of all events; ``type`` is the name on disk."""

    type: ClassVar[str] = "event"


@dataclass(frozen=True)
class StageStarted(Event):
    type: ClassVar[str] = "stage"
    stage: Stage


@dataclass(frozen=True)
class Progress(Event):
    """``done`` of ``total`` units of a stage; ``seconds_left`` is an estimate, None while unknown."""

    type: ClassVar[str] = "progress"
    stage: Stage
    done: int
    total: int
    seconds_left: float | None = None


@dataclass(frozen=True)
class Measured(Event):
    """BA and ASR over the whole test set, in percent. ``ba_without_target`` leaves the target class out.

    ``triggered_images``: of other classes than the target, all or a sample. ``target_ba``: accuracy on the clean images
    of the target class alone; None where there are too few, or in older records.
    """

    type: ClassVar[str] = "measured"
    when: Literal["before", "after"]
    ba: float
    ba_without_target: float
    asr: float
    asr_kind: AsrKind
    clean_images: int
    triggered_images: int
    target_ba: float | None = None


@dataclass(frozen=True)
class Answered(Event):
    """BA of the model as it came, percent, over the whole test set (``clean_images``), before there is any trigger to
    measure an ASR with; ``Measured`` follows once there is."""

    type: ClassVar[str] = "answered"
    ba: float
    clean_images: int


@dataclass(frozen=True)
class Searched(Event):
    """How far the trigger inversion has come, class by class, in the form that it is at.

    ``form``: one of ``core.scan.FORMS``; ``number``: its place among the forms, from 1. A scan ends with a
    decisive form, so not every form has such events.
    ``rates``: percent of images that the trigger of each class turns to it now. ``sizes``: L1 size, pixels, of each
    class's smallest trigger so far that reaches the attack rate; None: not reached yet.
    """

    type: ClassVar[str] = "searched"
    form: str
    number: int
    rates: list[float]
    sizes: list[float | None]


@dataclass(frozen=True)
class Rescan(Event):
    """The scan begins anew, before it has an outcome.

    ``reason``: "unclear", the signs are neither clear nor none, so another draw is made and the mean of both counts
    (``core.scan.second_draw``); "statistics", there is no sign and the batch-norm statistics are not those of clean
    images, so the model is scanned with these.
    """

    type: ClassVar[str] = "rescan"
    reason: Literal["unclear", "statistics"]


@dataclass(frozen=True)
class Scanned(Event):
    """Outcome of the trigger inversion over all classes.

    ``target``: the most suspicious class. ``anomaly_index``: of the target class in the form that shows it best
    (Neural Cleanse, IEEE S&P 2019, section IV-A). ``mask_sizes`` (of masks or not): L1 size, pixels, of the smallest
    trigger of that form that reaches the attack rate, one per class (None: never reached, or not searched for to the
    end). ``attack_rates``: percent, one per class, of the trigger that was kept.
    ``form``: that form, of ``core.scan.FORMS``. ``suspicion``: one per class (``core.scan.scan``).
    ``verdict``: "strong", "some" or "none" signs, and ``facts``: what it rests on (``core.scan.verdict``).
    ``trigger``: file in the run's folder, see ``core.triggers.kept.KeptTriggers``. ``others``: classes that stand out
    beside the target, the most suspicious first; the file has their triggers too. Empty if the user gave a target.
    """

    type: ClassVar[str] = "scanned"
    target: int
    anomaly_index: float
    mask_sizes: list[float | None]
    attack_rates: list[float]
    trigger: str
    form: str = "mask"
    suspicion: list[float] = field(default_factory=list)
    verdict: str = "none"
    facts: dict[str, Any] = field(default_factory=dict)
    others: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Frame(Event):
    """One picture of the feature map and the figures that belong to it.

    ``step``: optimiser steps done (0 is the victim as it came). ``file``: see ``core.runs.record``.
    ``ba``, ``asr``: percent, over the fixed sample set of the map. ``dissolution``: 0-100.
    ``trustworthiness``: 0-1 (scikit-learn).
    """

    type: ClassVar[str] = "frame"
    index: int
    step: int
    file: str
    ba: float
    asr: float
    asr_kind: AsrKind
    dissolution: float
    trustworthiness: float


@dataclass(frozen=True)
class Step(Event):
    """One optimiser step of a purification: the loss terms before weighting and the learning rate."""

    type: ClassVar[str] = "step"
    step: int
    total: int
    lr: float
    losses: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Verified(Event):
    """The proof of a cure: results of tests whose images and triggers no purification used (``core.verify``).

    ``cure``: the grade. ``reasons``: the reasons against "holds", the gravest first, any of

    - "true": the real trigger, known in the lab, still works;
    - "fresh": triggers reconstructed anew from the victim, or moved and larger copies of them, still work;
    - "shared": a trigger of that size that works on victim and purified model alike can still be found;
    - "reach": triggers that work on victim and purified model alike are smaller for this class than for others;
    - "others": triggers of another class, which stood out on the victim as well, still work;
    - "woken": triggers of a class that seemed to have none before the purification work now: a backdoor was asleep;
    - "scan": a new scan of the purified model still sees signs of a backdoor, most of all that class;
    - "path": models interpolated a short way towards the victim have the attack again;
    - "revival": retuning on a few triggered images revives the attack more than it teaches one for another class;
    - "unknown": no trigger was found, so there is none to test with;
    - "images": there are too few test images for a narrow interval.

    ``asr``: the worst attack success among them, percent; ``natural``: percent of the same images that are answered
    with the target class without any trigger. ``evidence``: figures by the name of the reason, see
    ``core.verify.proof``. ``images``: test images behind ``asr``. ``trigger``: file of the fresh triggers in the run's
    folder, or None.
    """

    type: ClassVar[str] = "verified"
    cure: Cure
    reasons: list[str]
    asr: float | None
    natural: float | None
    images: int
    evidence: dict[str, Any] = field(default_factory=dict)
    trigger: str | None = None


@dataclass(frozen=True)
class Repeated(Event):
    """The run purifies again, since the new scan of the proof named a class that had not stood out before.

    ``number``: of the purification that begins, from 2. ``target``: that class. The stages "scan" (for its triggers, on
    the model as it is now), "purify" and "verify" follow once more.
    """

    type: ClassVar[str] = "repeated"
    number: int
    target: int


@dataclass(frozen=True)
class Finished(Event):
    """The run is done. ``result``: as ``core.engine.outcome.result`` gives it."""

    type: ClassVar[str] = "finished"
    result: dict[str, Any]


@dataclass(frozen=True)
class Failed(Event):
    """The run ended with an error; ``code`` and ``facts`` as in ``core.errors.BadInput``."""

    type: ClassVar[str] = "failed"
    code: str
    message: str
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Steered(Event):
    """The user paused, resumed or stopped the run."""

    type: ClassVar[str] = "steered"
    action: Literal["pause", "resume", "stop"]


KINDS: dict[str, type[Event]] = {
    kind.type: kind
    for kind in (
        *(StageStarted, Progress, Measured, Answered, Searched, Rescan, Scanned),
        *(Frame, Step, Verified, Repeated, Finished, Failed, Steered),
    )
}


def seconds_by_stage(timed: Iterable[tuple[float, Event]]) -> dict[str, float]:
    """Seconds of work by stage, from a run's events with their times; pauses and gaps between workers do not count."""
    found: dict[str, float] = {}
    stage, last = None, 0.0
    for moment, event in timed:
        if stage is not None:  # the clock of a resumed run may start again, so differences may be negative
            found[stage] = found.get(stage, 0.0) + max(0.0, moment - last)
        last = moment
        if isinstance(event, StageStarted):
            stage = event.stage
    return found


def of_last_purification(events: Iterable[Event]) -> list[Event]:
    """The events since the last purification of the run began; all, where none was repeated."""
    told = list(events)
    begun = max((place for place, event in enumerate(told) if isinstance(event, Repeated)), default=0)
    return told[begun:]


def to_json(event: Event) -> dict[str, Any]:
    """The event as a plain dict with its ``type``."""
    return {"type": event.type, **asdict(event)}


def from_json(data: dict[str, Any]) -> Event | None:
    """The event of a dict made by ``to_json``; None for a type this version does not know. Unknown keys are ignored."""
    kind = KINDS.get(data.get("type", ""))
    if kind is None:
        return None
    known = {f.name for f in fields(kind)}
    return kind(**{key: value for key, value in data.items() if key in known})
