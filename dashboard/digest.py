"""What a run's events add up to at one moment, for the page to show. Pure: no disk, no Streamlit."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from core.events import (
    STAGES,
    Answered,
    Event,
    Finished,
    Frame,
    Measured,
    Progress,
    Repeated,
    Rescan,
    Scanned,
    Searched,
    StageStarted,
    Step,
    Verified,
    seconds_by_stage,
)
from core.report.proof import Proof, read

Timed = tuple[float, Event]
REPEATED_STAGES = ("scan", "purify", "verify")  # of each purification after the first


@dataclass
class Digest:
    """The latest of each kind of event.

    Attributes:
        stage: the stage that was begun last; None before the first.
        progress: of that stage, with the estimate of what is left.
        rescan: why the scan under way began anew; None where it did not, or where no scan is under way.
        seconds: length of each stage so far, in seconds, by stage.
        after, verified: of the purification that is under way, or was the last.
        repeats: the purifications after the first, each named once.
        seconds_of: as ``seconds``, of each purification apart; what came before the first is with it.
        frames: pictures of the map so far.
        step: the last optimiser step; its ``total`` is the most there can be.
    """

    stage: str | None = None
    progress: Progress | None = None
    rescan: Rescan | None = None
    answered: Answered | None = None
    before: Measured | None = None
    after: Measured | None = None
    searched: Searched | None = None
    scanned: Scanned | None = None
    verified: Verified | None = None
    finished: Finished | None = None
    step: Step | None = None
    last_frame: Frame | None = None
    frames: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    repeats: list[Repeated] = field(default_factory=list)
    seconds_of: list[dict[str, float]] = field(default_factory=list)

    @property
    def ba(self) -> float | None:
        """Accuracy of the model as it came, percent, as soon as it is measured."""
        known = self.before or self.answered
        return known.ba if known else None

    @property
    def searching(self) -> bool:
        """Whether triggers are being searched for, and nothing has been found yet."""
        return self.stage == "scan" and self.scanned is None

    @property
    def seconds_to_repeat(self) -> float:
        """How long the purifications after the first take, by what that one took, seconds."""
        first = self.seconds_of[0] if self.seconds_of else {}
        return len(self.repeats) * sum(first.get(stage, 0.0) for stage in REPEATED_STAGES)

    @property
    def total_seconds(self) -> float | None:
        return sum(self.seconds.values()) if self.seconds else None

    @property
    def proof(self) -> Proof | None:
        """Of the cure; without a grade in an older record, None where nothing was purified (yet)."""
        return read(self.finished.result if self.finished else None, self.verified) if self.after else None

    @property
    def graded(self) -> bool:
        """Whether the figures after were taken with the tests of the cure."""
        return self.proof is not None and self.proof.cure is not None

    def state_of(self, stage: str, over: bool, whole: bool) -> str:
        """ "done", "now", "todo" or "halted" for one stage of the track.

        Args:
            stage: one of ``STAGES``.
            over: nothing more will come (done, stopped, failed, lost).
            whole: the run came to its proper end.
        """
        if whole:
            return "done"
        if self.stage is None:
            return "todo"
        here, there = STAGES.index(self.stage), STAGES.index(stage)  # type: ignore[arg-type]
        if there == here:
            return "halted" if over else "now"
        return "done" if there < here else "todo"


def digest(events: Iterable[Timed]) -> Digest:
    """Add up ``(seconds since the start, event)`` pairs in the order in which they happened."""
    told = list(events)
    sum_up, begun = Digest(seconds=seconds_by_stage(told)), [0]
    for place, (_, event) in enumerate(told):
        match event:
            case Repeated(number=number):
                sum_up.after = sum_up.verified = None
                if number > len(sum_up.repeats) + 1:  # else a worker that goes on says it again
                    sum_up.repeats.append(event)
                    begun.append(place)
            case StageStarted(stage=stage):
                sum_up.stage, sum_up.progress, sum_up.rescan = stage, None, None
            case Progress():
                sum_up.progress = event
            case Measured(when="before"):
                sum_up.before = event
            case Measured(when="after"):
                sum_up.after = event
            case Answered():
                sum_up.answered = event
            case Searched():
                sum_up.searched = event
            case Rescan():
                sum_up.rescan, sum_up.searched = event, None
            case Scanned():
                sum_up.scanned, sum_up.rescan = event, None
            case Verified():
                sum_up.verified = event
            case Frame():
                sum_up.frames += 1
                sum_up.last_frame = event
            case Step():
                sum_up.step = event
            case Finished():
                sum_up.finished = event
    if sum_up.repeats:
        ends = [*begun[1:], len(told)]
        # the first event of the next one ends the last stage of the one before
        sum_up.seconds_of = [seconds_by_stage(told[a : b + 1]) for a, b in zip(begun, ends, strict=True)]
    else:
        sum_up.seconds_of = [sum_up.seconds]
    return sum_up
