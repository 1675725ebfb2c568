"""The recommendation: accept, purify or refuse. A pure function from a run's figures to keys of sentences.

A purified model is recommended only where its cure holds (``core.report.proof``). The two limits are rules of thumb
where the reader has no stricter ones: a real trigger that succeeds on less than one image in twenty, the whole interval
included, and the accuracy that the default defence itself may lose.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from core.defenses.mcl import PRESETS
from core.report.facts import GRADES, Facts, asr, asr_interval
from core.report.proof import is_refused

Choice = Literal["accept", "purified", "purify", "doubt", "ungraded", "again", "refuse", "open"]
Row = Literal["accept", "purify", "refuse"]

ASR_LIMIT = 5.0  # percent: the upper end of the 95 % interval stays below it
BA_LIMIT = PRESETS["default"].most_drop  # percentage points
TARGET_BA_LIMIT = 5.0  # percentage points of the target class alone; a larger loss is told
ROWS: tuple[Row, ...] = ("accept", "purify", "refuse")
OF: dict[Choice, Row] = {
    "accept": "accept", "purified": "accept", "purify": "purify", "doubt": "purify", "ungraded": "purify",
    "again": "refuse", "refuse": "refuse",
}  # fmt: skip


@dataclass(frozen=True)
class Advice:
    """``choice``: what is recommended; ``reasons``: keys of ``report.reason.<key>``, in their order."""

    choice: Choice
    reasons: tuple[str, ...] = field(default_factory=tuple)

    @property
    def row(self) -> Row | None:
        """The one of "accept", "purify" and "refuse" it comes under."""
        return OF.get(self.choice)


def advise(facts: Facts) -> Advice:
    """The recommendation by this run's figures alone, without the supplier's answers."""
    signs, known = facts.grade in ("strong", "some"), works(facts)
    judged = facts.grade in GRADES
    if not judged and not facts.purified:
        return Advice("open", ("open",))
    if facts.purified and (signs or known or not judged or _speaks_against(facts)):
        return _after_purification(facts, unseen=facts.grade == "none")
    unfinished = () if facts.spec.scan_only or facts.purified else ("unfinished",)
    if signs:
        return Advice("purify", ("signs", *unfinished))
    if known:
        return Advice("purify", ("known", *unfinished))
    saw = facts.evidence
    # one that is not cured does not come this far
    copy = facts.purified and saw is not None and saw.stamps is not None and facts.held is not False
    wary = saw is not None and saw.fallen_back is not None
    unproven = copy and facts.cure != "holds"
    candidates = (("wary", wary), ("copy" if wary else "precaution", copy), ("unproven", unproven))
    return Advice("accept", ("accept", *(reason for reason, holds in candidates if holds)))


def _speaks_against(facts: Facts) -> bool:
    """Whether tests of the cure found what the scan of the model as it came did not see."""
    return facts.cure == "failed" or (facts.cure == "doubt" and not facts.proof.lacks_only)


def works(facts: Facts) -> bool:
    """Whether the real trigger is known and works on the model as it came. An estimate alone shows nothing: some
    pattern that fools a network can be found for every network."""
    interval = asr_interval(facts.before)
    return bool(facts.before and facts.before.asr_kind == "true" and interval and interval.high >= ASR_LIMIT)


def _after_purification(facts: Facts, unseen: bool) -> Advice:
    assert facts.before is not None
    assert facts.after is not None
    if facts.held is False:
        return Advice("refuse", ("not_held", "more"))
    reasons = []
    if facts.cure == "failed":
        reasons.append("not_cured" if is_refused(facts.proof, facts.spec.accept) else "not_cured_accepted")
    elif _still_works(facts):
        reasons.append("attack_stays")
    if round(facts.before.ba - facts.after.ba, 2) > BA_LIMIT:
        reasons.append("ba_lost")
    if reasons:
        return Advice("again", (*reasons, "more"))
    cost = ("target_lost",) if _target_lost(facts) else ()
    if facts.cure != "holds":
        return Advice("doubt" if facts.cure else "ungraded", ("doubt" if facts.cure else "ungraded", "figures", *cost))
    return Advice("purified", ("purified", *(["unseen"] if unseen else []), *cost))


def _target_lost(facts: Facts) -> bool:
    """Whether the first target class, which a purification pushes against, lost more accuracy than is left untold."""
    assert facts.before is not None
    assert facts.after is not None
    before, after = facts.before.target_ba, facts.after.target_ba
    return before is not None and after is not None and before - after > TARGET_BA_LIMIT


def _still_works(facts: Facts) -> bool:
    """Whether the figures alone are reason to refuse. An estimate is judged by the tests of the cure, which know what
    an honest model shows with the same triggers; without them it has to keep the limit like a true one."""
    assert facts.after is not None
    interval = asr_interval(facts.after)
    if interval is None or asr(facts.after) is None:
        return True
    return interval.high >= ASR_LIMIT and (facts.after.asr_kind == "true" or facts.cure is None)


def figures(facts: Facts) -> dict[str, Any]:
    """What a program reads of the recommendation: choice, reasons, limits."""
    advice = advise(facts)
    return {
        "recommendation": advice.choice,
        "reasons": list(advice.reasons),
        "cure": facts.cure,
        "cure_reasons": list(facts.proof.reasons),
        "limits": {"asr_below": ASR_LIMIT, "ba_lost_at_most": BA_LIMIT},
    }
