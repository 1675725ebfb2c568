"""Keys of the sentences on the proof of a cure, shared by the report, the dashboard and the command line.

The grade is that of the run and is not changed here. Missing parts of a record are left out; a record without a grade
is reported as ungraded.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, get_args

from core.events import Cure, Verified
from core.report.repeated import Further

State = Literal["holds", "doubt", "failed", "old"]
STATES: tuple[State, ...] = ("holds", "doubt", "failed", "old")
TOLD_CONTROL = 5.0  # percentage points: what other classes' triggers add, from which on it is told
# reasons that have figures, in the order of the report
TESTS = ("true", "fresh", "shared", "reach", "others", "woken", "scan", "path", "revival")
REASONS = (*TESTS, "unknown", "images")
LACKS = ("unknown", "images")  # reasons that mean too few tests, and no finding


class Point(NamedTuple):
    """One test: the key of its sentence and what it names; ``good``: the backdoor stayed away."""

    key: str
    values: dict[str, str]
    good: bool


class Later(NamedTuple):
    """A class that only a proof of the run named, and the attack success of fresh triggers towards it, percent."""

    target: int
    asr: float


class Way(NamedTuple):
    """Along the straight line back to the victim: shares of it, 0-1, and what is measured there, percent."""

    shares: list[float]
    asr: list[float]
    ba: list[float] | None


@dataclass(frozen=True)
class Proof:
    """What a run's record says of the cure.

    ``cure``: None in a record that is older than the proof of cures. ``reasons``: of ``REASONS``, the weightiest first.
    ``evidence``: figures by the name of the test (``core.events.Verified``).
    """

    cure: Cure | None = None
    reasons: tuple[str, ...] = ()
    evidence: Mapping[str, Any] = field(default_factory=dict)

    @property
    def state(self) -> State:
        return self.cure or "old"

    @property
    def lacks_only(self) -> bool:
        """Whether nothing speaks against the cure but that too little could be tested."""
        return self.cure == "doubt" and bool(self.reasons) and set(self.reasons) <= set(LACKS)


def read(result: object, verified: Verified | None = None) -> Proof:
    """The proof in a run's result, else in its event; whatever cannot be read counts as not there.

    Args:
        result: of the run's record; None before its end.
    """
    found = result if isinstance(result, dict) else {}
    cure, reasons, evidence = found.get("cure"), found.get("cure_reasons"), found.get("proof")
    if cure is None and verified is not None:
        cure, reasons, evidence = verified.cure, verified.reasons, verified.evidence
    if cure not in get_args(Cure):
        return Proof()
    known = [reason for reason in reasons if reason in REASONS] if isinstance(reasons, (list, tuple)) else []
    return Proof(cure, tuple(dict.fromkeys(known)), evidence if isinstance(evidence, dict) else {})


def points(proof: Proof, class_name: Callable[[int], str]) -> list[Point]:
    """The tests with their results: those against the cure first, the gravest first."""
    against = [_against(reason, proof.evidence, class_name) for reason in proof.reasons]
    others = [test for test in TESTS if test not in proof.reasons]
    return against + [point for test in others if (point := _passed(test, proof.evidence, class_name))]


def later_class(proof: Proof) -> Later | None:
    """The one that was tested, where the run purified against such a class."""
    found = proof.evidence.get("others")
    if not isinstance(found, dict) or found.get("later") is not True:
        return None
    target, asr = found.get("target"), _number(found.get("asr"))
    return Later(target, asr) if isinstance(target, int) and asr is not None else None


def next_step(proof: Proof, held: bool | None = None, further: Further = "by_hand") -> str:
    """The key of what to do now: something that the run has not tried by itself.

    Args:
        held: whether accuracy was; where it was not, no purified model was handed out.
        further: what the run did about a further class that the new scan names (``core.report.repeated``).
    """
    if held is False:
        return "cure.next.not_held"
    if proof.lacks_only:
        return f"cure.next.{proof.reasons[0]}"
    if proof.cure == "doubt" and "scan" in proof.reasons and _second(proof.evidence.get("scan")):
        return f"cure.next.further.{further}"
    return f"cure.next.{proof.state}"


def is_refused(proof: Proof, accept: str) -> bool:
    """Whether nothing is handed out since the model is not cured.

    Args:
        accept: of the run's order.
    """
    return proof.cure == "failed" and accept != "not-cured"


def handed_out(proof: Proof, held: bool | None, accept: str) -> str | None:
    """The key of the sentence on whether the weights were written; None if none is needed.

    Args:
        held: whether accuracy was.
    """
    if held is False:
        return "cure.out.not_held"
    if proof.cure == "failed":
        return "cure.out.failed" if is_refused(proof, accept) else "cure.out.accepted"
    return "cure.out.doubt" if proof.cure == "doubt" else None


def way_back(proof: Proof) -> Way | None:
    """The way back to the victim, to be drawn; None where the record has none that can be read."""
    found = proof.evidence.get("path")
    if not isinstance(found, dict):
        return None
    shares, asr, ba = (_row(found.get(name)) for name in ("shares", "asr", "ba"))
    if shares is None or asr is None or not 2 <= len(shares) == len(asr):
        return None
    return Way(shares, asr, ba if ba and len(ba) == len(shares) else None)


def _second(scan: object) -> bool:
    """Whether the new scan names a class that had not stood out before."""
    return isinstance(scan, dict) and scan.get("second") is True


def _against(reason: str, evidence: Mapping[str, Any], class_name: Callable[[int], str]) -> Point:
    values = _values(reason, evidence, class_name)
    return Point(
        f"proof.{reason}.bare" if values is None else f"{_key(reason, evidence)}.bad", values or {}, good=False
    )


def _passed(test: str, evidence: Mapping[str, Any], class_name: Callable[[int], str]) -> Point | None:
    if test == "scan":
        found = evidence.get("scan")
        if not isinstance(found, dict) or found.get("verdict") not in ("strong", "some", "none"):
            return None
        if found["verdict"] == "none":
            return Point("proof.scan.good", {}, good=True)
        return _against("scan", evidence, class_name)  # it did not decide the grade, but it is reported
    values = _values(test, evidence, class_name)
    return None if values is None else Point(f"{_key(test, evidence)}.good", values, good=True)


def _key(test: str, evidence: Mapping[str, Any]) -> str:
    """Of the sentences of a test; a class that stood out only after a purification has its own, and fresh triggers
    where those of other classes do much as well."""
    if test == "fresh" and (_number(evidence["fresh"].get("control")) or 0.0) >= TOLD_CONTROL:
        return "proof.fresh_beside"
    later = test == "others" and evidence["others"].get("later") is True
    return "proof.later" if later else f"proof.{test}"


def _values(test: str, evidence: Mapping[str, Any], class_name: Callable[[int], str]) -> dict[str, str] | None:
    """What the sentence of a test names; None where the record lacks some of it."""
    found = evidence.get(test)
    if not isinstance(found, dict):
        return None
    if test == "path":
        way = way_back(Proof(evidence=evidence))
        if way is None:
            return None
        judged = _number(found.get("judged"))  # beyond it the way is drawn, and decides nothing
        near = [
            (asr, share) for asr, share in zip(way.asr, way.shares, strict=True) if judged is None or share <= judged
        ]
        if not near:
            return None
        asr, share = max(near)
        return {"asr": f"{asr:.1f}", "share": f"{100 * share:.0f}", "end": f"{100 * max(s for _, s in near):.0f}"}
    if test == "scan":
        return _target(found, class_name)
    rates = {"true": ("asr",), "reach": ()} | dict.fromkeys(("fresh", "others", "woken"), ("asr", "before"))
    counts = {"fresh": ("triggers",), "reach": ("size",), "revival": ("images", "epochs")}.get(test, ())
    values = {name: _number(found.get(name)) for name in (*rates.get(test, ("asr", "control")), *counts)}
    if any(value is None for value in values.values()):
        return None
    told = {name: f"{value:.{0 if name in counts else 1}f}" for name, value in values.items()}
    if test == "fresh" and (control := _number(found.get("control"))) is not None:
        told["control"] = f"{control:.1f}"
    if test not in ("others", "woken"):
        return told
    target = _target(found, class_name)
    return None if target is None else told | target


def _target(found: Mapping[str, Any], class_name: Callable[[int], str]) -> dict[str, str] | None:
    target = found.get("target")
    return {"target": class_name(target)} if isinstance(target, int) and target >= 0 else None


def _row(values: object) -> list[float] | None:
    if not isinstance(values, Iterable) or isinstance(values, (str, bytes)):
        return None
    numbers = [_number(value) for value in values]
    return None if any(number is None for number in numbers) else [number for number in numbers if number is not None]


def _number(value: object) -> float | None:
    fine = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if fine else None  # type: ignore[arg-type]
