"""The facts of a run for the report, gathered from its record: plain values without sentences."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

from core import victims
from core.compute.intervals import Interval, wilson
from core.data import IMAGE_SETS
from core.errors import BadInput
from core.events import Cure, Event, Frame, Measured, Scanned, Verified, of_last_purification, seconds_by_stage
from core.report.evidence import Evidence
from core.report.proof import Proof, read
from core.report.repeated import Further, Purification, further, purifications
from core.runs import hashes
from core.runs.record import Run
from core.runs.spec import Spec
from core.victims import Card

Grade = Literal["strong", "some", "none", "unrecorded", "waiting", "skipped"]
GRADES = ("strong", "some", "none")


class Hashed(NamedTuple):
    """A file's name and its SHA-256 as the run noted it; None if it noted none."""

    file: str
    sha256: str | None


@dataclass(frozen=True)
class Facts:
    """One run as its record has it.

    Attributes:
        images: name of the image set or of the user's own folder or file, without its place on the machine.
        grade: of the scan: its verdict; "unrecorded" in a record without one, "waiting" before the scan is over,
            "skipped" where the defence needed none.
        target: the class that attack success is counted for: the attacker's where it is known, else given or found.
        before, after: measured; ``after`` only if its kind of attack success is that of ``before``.
        held: whether accuracy was held; None without a purification that came to its end, or without a guard.
        purifications: of the run, in their order, where there is more than one.
        further: what it did about a class that only the new scan of its proof names.
        proof: of the cure; without a grade where nothing was purified, or by an older version.
        evidence: what the scan saw and what was done about it; None without a scan.
        first, last: frames of the map that can be read; the same one twice where there is but one.
        seconds: of work, by stage.
        weights: the file the model came in; ``results``: those handed out.
        precision: of convolutions and matrix products, as torch calls it; "" in a record without.
    """

    id: str
    created: str
    status: str
    recording: bool
    spec: Spec
    card: Card | None
    title: str
    images: str
    classes: tuple[str, ...]
    grade: Grade = "waiting"
    target: int | None = None
    scanned: Scanned | None = None
    before: Measured | None = None
    after: Measured | None = None
    held: bool | None = None
    proof: Proof = field(default_factory=Proof)
    purifications: tuple[Purification, ...] = ()
    further: Further = "by_hand"
    evidence: Evidence | None = None
    first: Frame | None = None
    last: Frame | None = None
    steps: int | None = None
    clean_images: int | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    weights: Hashed | None = None
    results: tuple[Hashed, ...] = ()
    machine: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    commit: str | None = None
    device: str = ""
    precision: str = ""
    arch: str | None = None
    normalize: str | None = None
    failure: str | None = None

    @property
    def total_seconds(self) -> float | None:
        return sum(self.seconds.values()) if self.seconds else None

    @property
    def purified(self) -> bool:
        """Whether a purification came to its end and was measured."""
        return self.after is not None

    @property
    def cure(self) -> Cure | None:
        """The grade of the cure; None where nothing was purified, or by a version that gave none."""
        return self.proof.cure

    @property
    def going(self) -> bool:
        return self.status in ("queued", "running", "paused")

    @property
    def attack(self) -> str | None:
        """The planted attack where it is known."""
        return self.card.attack if self.card else None


def asr(measured: Measured | None) -> float | None:
    """Attack success in percent; None where it was not or could not be measured."""
    return None if measured is None or math.isnan(measured.asr) else measured.asr


def asr_interval(measured: Measured | None) -> Interval | None:
    return wilson(measured.asr, measured.triggered_images) if measured else None


def ba_interval(measured: Measured | None) -> Interval | None:
    return wilson(measured.ba, measured.clean_images) if measured else None


def gather(run: Run) -> Facts:
    """The facts of a run as it stands.

    Raises:
        BadInput: as ``Run``.
    """
    told = run.snapshot()  # first: what was written before the end is then all there
    status, data, spec = told.status, told.data, told.spec
    events = list(run.events())
    card = _card(spec)
    result = _dict(data.get("result"))
    scanned = _last((event for _, event in events), Scanned)
    before = _last((event for _, event in events), Measured, when="before")
    last = of_last_purification(event for _, event in events)
    after = _last(last, Measured, when="after")
    if before is None or after is None or after.asr_kind != before.asr_kind:
        after = None
    target = next(
        (k for k in (data.get("true_target"), card and card.target, spec.target, scanned and scanned.target)
         if isinstance(k, int)),
        None,
    )  # fmt: skip
    frames = _frames(run, events)
    return Facts(
        id=run.id,
        created=run.created,
        status=status,
        recording=run.is_recording,
        spec=spec,
        card=card,
        title=str(data.get("title") or _name(spec.weights or spec.victim or run.id)),
        images=spec.images if spec.images in IMAGE_SETS else _name(spec.images),
        classes=tuple(map(str, data.get("classes") or ())),
        grade=_grade(scanned, done=status == "done"),
        target=target,
        scanned=scanned,
        before=before,
        after=after,
        held=result.get("ba_held"),
        proof=read(result, _last(last, Verified)) if after else Proof(),
        purifications=purifications(result) if after else (),
        further=further(result, spec),
        evidence=Evidence.of(scanned, result, card.target if card else None, spec.target) if scanned else None,
        first=frames[0] if frames else None,
        last=frames[-1] if frames else None,
        steps=result.get("steps"),
        clean_images=result.get("clean_images"),
        seconds=_seconds(events, _dict(result.get("seconds"))),
        weights=_input(run, spec, card, data),
        results=tuple(_results(run)),
        machine=_dict(data.get("machine")),
        versions={str(name): str(version) for name, version in _dict(data.get("versions")).items()},
        commit=data.get("git_commit"),
        device=str(result.get("device") or data.get("device") or spec.device),
        precision=str(data.get("precision") or ""),
        arch=result.get("arch") or spec.arch or (card.arch if card else None),
        normalize=result.get("normalize") or spec.normalize,
        failure=_dict(data.get("failure")).get("code"),
    )


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _name(path: str) -> str:
    """The last part of a path, since a report must not contain local paths."""
    return path.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]


def _card(spec: Spec) -> Card | None:
    try:
        return victims.card_of(spec.victim) if spec.victim else None
    except BadInput:  # a victim that is not shipped any more
        return None


def _grade(scanned: Scanned | None, done: bool) -> Grade:
    if scanned is None:
        return "skipped" if done else "waiting"
    if not scanned.facts or scanned.verdict not in GRADES:
        return "unrecorded"
    return scanned.verdict  # type: ignore[return-value]


def _last(events: Iterable[Event], kind: type[Any], **fields: Any) -> Any:
    """The last event of a kind whose fields have these values; None if there is none."""
    found = None
    for event in events:
        if isinstance(event, kind) and all(getattr(event, name) == value for name, value in fields.items()):
            found = event
    return found


def _frames(run: Run, events: Iterable[tuple[float, Event]]) -> list[Frame]:
    """The first and the last frame of which both the event and the file are there, by index."""
    by_index = {event.index: event for _, event in events if isinstance(event, Frame)}
    readable = [by_index[index] for index in sorted(by_index) if (run.folder / by_index[index].file).is_file()]
    return [readable[0], readable[-1]] if readable else []


def _seconds(events: Iterable[tuple[float, Event]], reported: dict[str, Any]) -> dict[str, float]:
    """Seconds of work by stage: as the run itself reported them at its end, else from the times of its events."""
    if reported:
        return {str(stage): float(seconds) for stage, seconds in reported.items()}
    return seconds_by_stage(events)


def _input(run: Run, spec: Spec, card: Card | None, data: dict[str, Any]) -> Hashed | None:
    """The model's file and its hash as recorded by the run; the file there now may be another."""
    taken = _dict(data.get("inputs")).get("weights")
    if taken and spec.weights:
        return Hashed(Path(spec.weights).name, str(taken))
    noted = _dict(hashes.card_of_result(run).get("input"))
    if noted.get("sha256"):
        return Hashed(str(noted.get("file")), str(noted["sha256"]))
    if spec.victim:
        name = card.weights.name if card else spec.victim
        return Hashed(name, data.get("victim_sha256") or (card.sha256 if card else None))
    return Hashed(Path(spec.weights).name, None) if spec.weights else None


def _results(run: Run) -> Iterable[Hashed]:
    noted = hashes.outputs(run)
    for name in hashes.HANDED_OUT:
        if (run.folder / name).is_file():
            yield Hashed(name, noted.get(name))
