"""The rule of a roll-out: a pure function from the counts of a stage to go on, stay or go back, with reasons.

Both models answer in every stage, and a guard of the original says which images look triggered. The two are to differ
on triggered images: that is the cure. So disagreement and accuracy are judged on the other images alone, and an alarm
counts against the purified model only where it answers flagged images as the original does.

The rule looks after every batch, so its intervals hold at all looks together (``confidence_sequence``). Those for a
single look would send many a good model back by chance (NOTES.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from core.compute.intervals import Interval, confidence_sequence
from core.defenses.mcl import PRESETS
from core.errors import BadInput

Stage = Literal["off", "shadow", "share", "all"]
Move = Literal["on", "stay", "back"]
STAGES: tuple[Stage, ...] = ("off", "shadow", "share", "all")


@dataclass(frozen=True)
class Rule:
    """When a stage is over.

    Attributes:
        images: least number of images, not flagged, in a stage.
        share: percent of the traffic that the purified model answers in the stage "share".
        disagreement: percent of the images not flagged on which the models may differ; held against the 95 % interval.
        ba_loss: percentage points of accuracy that may be lost, where labels are given; that of the default defence.
        alarms: number of alarms in a stage from which on it goes back.
    """

    images: int = 300
    share: float = 10.0
    disagreement: float = 5.0
    ba_loss: float = PRESETS["default"].most_drop
    alarms: int = 1

    def __post_init__(self) -> None:
        """Raises:
        BadInput: ``bad_rollout_rule``.
        """
        for name, least, most in (
            ("images", 1, 1e9), ("share", 0, 100), ("disagreement", 0, 100), ("ba_loss", 0, 100), ("alarms", 1, 1e9),
        ):  # fmt: skip
            value = getattr(self, name)
            if type(value) not in (int, float) or not least <= value <= most or (least == 1 and value != int(value)):
                raise BadInput(
                    "bad_rollout_rule",
                    f"The rule of a roll-out cannot have {name} {value!r}; give a number from {least} to {most:g}.",
                    field=name, value=repr(value), least=least, most=f"{most:g}",
                )  # fmt: skip


@dataclass
class Tally:
    """Counts of one stage.

    ``images``: answered; ``flagged``: of these, that look triggered to the guard of the original. ``differ``: not
    flagged, and the models differ. ``averted``: flagged, and they differ; ``shared``: flagged, and they agree.
    ``labelled``: not flagged, with a label; of these ``lost`` only the original answers rightly, ``gained`` only the
    purified model. ``alarms``: of the guard, over flagged images on which the models agree.
    """

    images: int = 0
    flagged: int = 0
    differ: int = 0
    averted: int = 0
    labelled: int = 0
    lost: int = 0
    gained: int = 0
    alarms: int = 0

    @property
    def compared(self) -> int:
        """Images not flagged."""
        return self.images - self.flagged

    @property
    def shared(self) -> int:
        return self.flagged - self.averted

    @property
    def disagreement(self) -> float | None:
        """Percent of the images not flagged; None without any."""
        return 100 * self.differ / self.compared if self.compared else None

    @property
    def interval(self) -> Interval | None:
        """The 95 % interval of ``disagreement``, however often one looks."""
        return confidence_sequence(self.differ, self.compared) if self.compared else None

    @property
    def ba_loss(self) -> float | None:
        """Percentage points that the purified model is behind the original; below 0, ahead; None without labels."""
        return 100 * (self.lost - self.gained) / self.labelled if self.labelled else None


@dataclass(frozen=True)
class Reason:
    """``key``: of ``rollout.reason.<key>``; ``facts``: values in that sentence."""

    key: str
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Decision:
    move: Move
    reasons: tuple[Reason, ...]


def decide(stage: Stage, tally: Tally, rule: Rule) -> Decision:
    """What the rule says of a stage.

    Back: an alarm, a disagreement whose whole interval lies above the limit, or a loss of accuracy above the limit that
    chance does not explain: of the images that only one model answers rightly, more than half are lost. On: enough
    images, the whole interval below the limit, no loss above the limit. Else it stays.
    """
    if stage == "off":
        return Decision("stay", (Reason("off"),))
    against = _against(tally, rule)
    if against:
        return Decision("back", tuple(against))
    open_ = _open(tally, rule)
    if open_:
        return Decision("stay", tuple(open_))
    good = tuple(_for(tally, rule))
    return Decision("stay", (Reason("end"), *good)) if stage == "all" else Decision("on", good)


def _against(tally: Tally, rule: Rule) -> list[Reason]:
    found = []
    if tally.alarms >= rule.alarms:
        found.append(Reason("alarms", {"alarms": tally.alarms, "shared": tally.shared}))
    if tally.interval is not None and tally.interval.low > rule.disagreement:
        found.append(Reason("disagreement", _differing(tally, rule)))
    if _above(tally, rule) and confidence_sequence(tally.lost, tally.lost + tally.gained).low > 50:
        found.append(Reason("accuracy", _accuracy(tally, rule)))
    return found


def _open(tally: Tally, rule: Rule) -> list[Reason]:
    found = []
    if tally.compared < rule.images:
        found.append(Reason("few", {"seen": tally.compared, "least": rule.images}))
    elif tally.interval is None or tally.interval.high > rule.disagreement:
        found.append(Reason("unsure", _differing(tally, rule)))
    if _above(tally, rule):
        found.append(Reason("accuracy_unsure", _accuracy(tally, rule)))
    return found


def _for(tally: Tally, rule: Rule) -> list[Reason]:
    accuracy = Reason("accuracy_kept", _accuracy(tally, rule)) if tally.labelled else Reason("no_labels")
    quiet = [] if tally.alarms else [Reason("no_alarms")]
    return [Reason("agrees", _differing(tally, rule)), accuracy, *quiet]


def _above(tally: Tally, rule: Rule) -> bool:
    return tally.ba_loss is not None and tally.ba_loss > rule.ba_loss


def _differing(tally: Tally, rule: Rule) -> dict[str, Any]:
    low, high = tally.interval or (None, None)
    return {
        "differ": tally.differ, "seen": tally.compared, "percent": tally.disagreement, "low": low, "high": high,
        "limit": rule.disagreement,
    }  # fmt: skip


def _accuracy(tally: Tally, rule: Rule) -> dict[str, Any]:
    return {
        "labelled": tally.labelled, "lost": tally.lost, "gained": tally.gained, "points": tally.ba_loss,
        "limit": rule.ba_loss,
    }  # fmt: skip


def next_stage(stage: Stage, move: Move) -> Stage:
    """The stage one further on or back, the first and the last one excepted."""
    at = STAGES.index(stage) + {"on": 1, "stay": 0, "back": -1}[move]
    return STAGES[min(max(at, 0), len(STAGES) - 1)]
