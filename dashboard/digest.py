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
    Scanned,
    Searched,
    StageStarted,
    Step,
    Verified,
    seconds_by_stage,
)
from core.report.proof import Proof, read

Timed = tuple[float, Event]


@dataclass
class Digest:
    """The latest of each kind of event.

    Attributes:
        stage: the stage that was begun last; None before the first.
        progress: of that stage, with the estimate of what is left.
        seconds: length of each stage so far, in seconds, by stage.
        frames: pictures of the map so far.
        step: the last optimiser step; its ``total`` is the most there can be.
    """

    stage: str | None = None
    progress: Progress | None = None
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
    sum_up = Digest(seconds=seconds_by_stage(told))
    for _, event in told:
        match event:
            case StageStarted(stage=stage):
                sum_up.stage, sum_up.progress = stage, None
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
            case Scanned():
                sum_up.scanned = event
            case Verified():
                sum_up.verified = event
            case Frame():
                sum_up.frames += 1
                sum_up.last_frame = event
            case Step():
                sum_up.step = event
            case Finished():
                sum_up.finished = event
    return sum_up
