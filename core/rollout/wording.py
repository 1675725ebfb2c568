"""A roll-out's reasons and moves as sentences, for the page and the command line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.errors import BadInput
from core.report.account_words import Check
from core.rollout import place
from core.rollout.rule import Decision, Reason
from core.rollout.state import State
from core.runs.record import Run
from core.watch.place import watched_inboxes
from core.words import Words


def sentence(reason: Reason, words: Words) -> str:
    """One reason, with its figures."""
    facts = reason.facts
    told: dict[str, Any] = {}
    for name in ("percent", "low", "high"):
        if name in facts:
            told[name] = words.percent(facts[name])
    if "points" in facts:
        told["points"] = words.points(0.0 - facts["points"])
    if "limit" in facts:
        told["limit"] = (
            words.points(facts["limit"], signed=False) if "points" in facts else whole_percent(facts["limit"], words)
        )
    counts = {name: words.count(value) for name, value in facts.items() if type(value) is int}
    return words(f"rollout.reason.{reason.key}", **counts | told)


def whole_percent(value: float, words: Words) -> str:
    """A share that somebody set: without decimals where it has none."""
    return words.percent(value, 0 if value == int(value) else 1)


def reasons(decision: Decision, words: Words) -> list[str]:
    return [sentence(reason, words) for reason in decision.reasons]


def move(entry: Mapping[str, Any], words: Words) -> str:
    """A move of the log: from where to where, by whom, and why."""
    told = words(
        f"rollout.moved.{'person' if entry['by'] == 'person' else 'rule'}",
        before=words(f"rollout.stage.{entry['from']}"), after=words(f"rollout.stage.{entry['to']}"),
    )  # fmt: skip
    why = [sentence(Reason(str(key), facts), words) for key, facts in entry["why"]]
    return words.joined([told, *why])


def in_use(run: Run, words: Words) -> list[Check]:
    """The points of an account's checklist that are done in use: the roll-out, and the watch."""
    try:
        state = place.read_state(place.folder_of(run))
    except BadInput:  # said where the roll-out is shown
        state = None
    stage = words(f"rollout.stage.{state.stage}") if state else ""
    rolled = words("account.check.rollout", stage=stage) if state else words("account.check.rollout_open")
    watched = bool(watched_inboxes(run))
    return [
        Check(state is not None and state.stage == "all", rolled),
        Check(watched, words(f"account.check.watch{'' if watched else '_open'}")),
    ]


def phrases(state: State, words: Words) -> list[str]:
    """What to say of the roll-out in a meeting: where it stands, and what comes next."""
    tally = state.tally
    said = [words(f"rollout.say.{state.stage}", share=whole_percent(state.rule.share, words))]
    interval = tally.interval
    if interval is not None:
        said.append(
            words(
                "rollout.say.figures", seen=words.count(tally.compared), differ=words.count(tally.differ),
                high=words.percent(interval.high),
            )
        )  # fmt: skip
    if tally.averted:
        said.append(words("rollout.say.averted", averted=words.count(tally.averted)))
    if state.stage == "off":
        return said
    move = state.decision.move
    return [*said, words(f"rollout.say.next_{'all' if state.stage == 'all' and move != 'back' else move}")]
