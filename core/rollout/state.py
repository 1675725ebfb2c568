"""Where a roll-out stands: a function of its log alone, entry by entry. Light: a page may read it.

========= ==============================================================================================================
``start`` the rule, SHA-256 of both models; ``anew``: the counts and the stage begin from the start
``image`` one image: both answers, which was used, whether it looks triggered
``stage`` a move: from, to, by whom ("rule" or "person"), reasons
========= ==============================================================================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from core.rollout.rule import STAGES, Decision, Rule, Stage, Tally, decide
from core.watch.alerts import RULES, Alarms

KEPT = 12  # of the images on which the models differ, the newest of either kind that are kept with a picture
MOVES = 20  # the newest moves that are kept
By = Literal["rule", "person"]
COUNTING = tuple(rule for rule in RULES if rule.what in ("alike", "flagged"))


@dataclass
class State:
    """Where a roll-out stands.

    ``tally``: of this stage. ``images``: answered in all stages, of which the purified model answered ``purified``.
    ``differing``, ``averted``: the newest images on which the models differ, not flagged and flagged. ``moves``: the
    newest, as logged. ``models``: SHA-256 of "original" and "purified". ``since``, ``last``: seconds since 1970 of the
    stage's beginning and of the last entry.
    """

    stage: Stage = "shadow"
    rule: Rule = field(default_factory=Rule)
    tally: Tally = field(default_factory=Tally)
    images: int = 0
    purified: int = 0
    differing: list[dict[str, Any]] = field(default_factory=list)
    averted: list[dict[str, Any]] = field(default_factory=list)
    moves: list[dict[str, Any]] = field(default_factory=list)
    models: dict[str, str] = field(default_factory=dict)
    classes: list[str] = field(default_factory=list)
    since: float = 0.0
    last: float = 0.0

    def __post_init__(self) -> None:
        self._alarms = Alarms(COUNTING)

    @property
    def decision(self) -> Decision:
        return decide(self.stage, self.tally, self.rule)

    def take(self, entry: Mapping[str, Any]) -> None:
        """Takes the next entry of the log.

        Raises:
            KeyError, TypeError, ValueError: it is no entry of a roll-out.
        """
        moment = float(entry["t"])
        kind = entry["kind"]
        if kind == "start":
            self._start(entry, moment)
        elif kind == "image":
            self._count(entry)
        elif kind == "stage":
            self._move(entry, moment)
        self.last = moment

    def _start(self, entry: Mapping[str, Any], moment: float) -> None:
        self.rule, self.models, self.classes = Rule(**entry["rule"]), dict(entry["models"]), list(entry["classes"])
        if entry["anew"]:
            self._enter("shadow", moment)
            self.differing, self.averted = [], []
        self.since = self.since or moment

    def _move(self, entry: Mapping[str, Any], moment: float) -> None:
        if entry["to"] not in STAGES:
            raise ValueError(f"there is no stage {entry['to']!r}")
        self._enter(entry["to"], moment)
        self.moves = [*self.moves, dict(entry)][-MOVES:]

    def _enter(self, stage: Stage, moment: float) -> None:
        self.stage, self.tally, self.since = stage, Tally(), moment
        self._alarms = Alarms(COUNTING)

    def _count(self, entry: Mapping[str, Any]) -> None:
        tally, flagged = self.tally, bool(entry["flagged"])
        original, purified, label = int(entry["original"]), int(entry["purified"]), entry.get("label")
        self.images += 1
        self.purified += entry["used"] == "purified"
        tally.images += 1
        tally.flagged += flagged
        if original != purified:
            kept = self.averted if flagged else self.differing
            kept.append({name: entry.get(name) for name in ("t", "key", "file", "original", "purified", "used")})
            del kept[:-KEPT]
            tally.averted += flagged
            tally.differ += not flagged
        if label is not None and not flagged:
            tally.labelled += 1
            tally.lost += original == label != purified
            tally.gained += purified == label != original
        followed = flagged and original == purified
        seen = {"kind": "image", "t": entry["t"], "file": str(entry["key"]), "answer": purified, "flagged": followed}
        tally.alarms += len(self._alarms.feed(seen))


def plain(state: State) -> dict[str, Any]:
    """As JSON holds it."""
    return asdict(state)


def of(facts: Mapping[str, Any]) -> State:
    """The state that ``plain`` wrote; it is for reading: its alarms begin anew.

    Raises:
        TypeError, ValueError, KeyError, BadInput: it is none.
    """
    given: dict[str, Any] = dict(facts)
    state = State(**given | {"rule": Rule(**given["rule"]), "tally": Tally(**given["tally"])})
    if state.stage not in STAGES:
        raise ValueError(f"there is no stage {state.stage!r}")
    return state
