"""The rows of a fleet, one per model, from the records of its runs, and their order. Light: no torch."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from core.errors import BadInput
from core.fleet import risk, step
from core.fleet.listing import Entry
from core.fleet.step import Step
from core.runs import hashes
from core.runs.record import Run


@dataclass(frozen=True)
class Row:
    """What is known of one model. ``None``: not known (yet).

    Attributes:
        file, owner, use, exposure, weights, images: as ``core.fleet.listing.Entry``.
        verdict: of the scan: "strong", "some" or "none".
        target, target_name: the class that the signs point to; None without signs, for then it is none.
        ba: percent. asr_before: estimated with the reconstructed trigger, percent; every network without a backdoor
            has some pattern that fools it, so without signs it says nothing.
        suspicion: octaves. caution: copies fell back on one class, of a model without a sign.
        risk: 0-100; None for a model that could not be looked at, or not yet.
        step: what to do next. step_seconds: what that takes; None where no machine does it.
        cure: grade of the purified model. ba_after, asr_after: percent, of it. handed_out: whether there is one.
        error: the sentence; ``code`` and ``facts``: of it, for another language. cure_error: of the purification.
        sha256: of the weights. run, cure_run: folder names below the fleet's ``runs``.
        seconds: of the scan, by stage. cure_seconds: of the purification, which goes on from the scan and counts it.
        reused: whether the scan was done before, for another fleet or another copy of the same file.
    """

    file: str
    weights: str
    images: str
    owner: str = ""
    use: str = ""
    exposure: int | None = None
    verdict: str | None = None
    target: int | None = None
    target_name: str | None = None
    ba: float | None = None
    asr_before: float | None = None
    suspicion: float | None = None
    caution: bool = False
    risk: float | None = None
    step: Step = "wait"
    step_seconds: float | None = None
    cure: str | None = None
    ba_after: float | None = None
    asr_after: float | None = None
    handed_out: bool | None = None
    error: str | None = None
    code: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    cure_error: str | None = None
    sha256: str | None = None
    run: str | None = None
    cure_run: str | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)
    cure_seconds: Mapping[str, float] = field(default_factory=dict)
    reused: bool = False

    @property
    def signs(self) -> bool:
        return self.verdict in step.NEEDS_PURIFICATION

    @property
    def ended(self) -> bool:
        """Whether the scan is over, well or not."""
        return self.step != "wait"


def row(
    entry: Entry,
    scan: Run | None = None,
    cure: Run | None = None,
    fault: BadInput | None = None,
    cure_fault: BadInput | None = None,
    sha256: str | None = None,
    reused: bool = False,
    per_scan: float = step.PURIFY_PER_SCAN,
) -> Row:
    """The row of one model.

    Args:
        scan, cure: its runs, as far as they have begun. fault, cure_fault: why they have not, or came to no end.
        per_scan: as ``core.fleet.step.per_scan``.
    """
    found: dict[str, Any] = {"sha256": sha256, "reused": reused}
    spent: dict[str, float] = {}
    failure: dict[str, Any] | None = None
    if fault is not None:
        failure = {"message": fault.message, "code": fault.code, "facts": dict(fault.facts)}
    if failure is None and scan is not None:
        data = scan.data
        found["run"] = scan.folder.name
        if data["status"] == "done":
            spent = dict(data["result"].get("seconds") or {})
            found |= _scanned(data["result"], entry.exposure) | {"seconds": spent}
        else:
            failure = data.get("failure")
    if failure:
        found |= {"error": failure["message"], "code": failure["code"], "facts": dict(failure.get("facts") or {})}
    if cure is not None:
        found |= _cured(cure)
    if cure_fault is not None:
        found["cure_error"] = cure_fault.message
    what = step.step(
        found.get("verdict"), found.get("cure"), bool(failure), bool(found.get("cure_error")),
        bool(found.get("caution")),
    )  # fmt: skip
    return Row(
        file=entry.file, weights=entry.weights, images=entry.images, owner=entry.owner, use=entry.use,
        exposure=entry.exposure, step=what, step_seconds=step.seconds(what, spent, per_scan), **found,
    )  # fmt: skip


def _scanned(result: Mapping[str, Any], exposure: int | None) -> dict[str, Any]:
    verdict, facts = result["verdict"], result.get("evidence") or {}
    signs = verdict in step.NEEDS_PURIFICATION
    caution = not signs and facts.get("fallen_back") is not None
    suspicion = _number(facts.get("suspicion"))
    found = risk.evidence(verdict, 0.0 if suspicion is None else suspicion, caution)
    return {
        "verdict": verdict,
        "target": result.get("target") if signs else None,
        "target_name": result.get("target_name") if signs else None,
        "ba": _number(result.get("ba_before")),
        "asr_before": _number(result.get("asr_before")),
        "suspicion": suspicion,
        "caution": caution,
        "risk": risk.risk(found, exposure),
    }


def _cured(cure: Run) -> dict[str, Any]:
    data = cure.data
    found: dict[str, Any] = {"cure_run": cure.folder.name}
    if data["status"] == "done":
        result = data["result"]
        found |= {
            "cure": result.get("cure"), "ba_after": _number(result.get("ba_after")),
            "asr_after": _number(result.get("asr_after")), "cure_seconds": dict(result.get("seconds") or {}),
            "handed_out": hashes.purified_file(cure).is_file(),
        }  # fmt: skip
    elif data.get("failure"):
        found["cure_error"] = data["failure"]["message"]
    return found


def ranked(rows: Iterable[Row]) -> list[Row]:
    """The highest risk first; of equal ones the more suspicious, then by file.

    Models that could not be looked at stand last, those yet to be looked at after them: without a figure there is no
    place among figures, and neither a high nor a low one would be true. They are counted on top of every summary, and
    their next step says what is to be mended, so that they are not taken for harmless.
    """
    return sorted(rows, key=_place)


def _place(found: Row) -> tuple[Any, ...]:
    if found.risk is None:
        return 1 if found.error else 2, 0.0, 0.0, found.file
    return 0, -found.risk, -(found.suspicion or 0.0), found.file


def counts(rows: Sequence[Row]) -> dict[str, int]:
    """How many models there are by what matters: "total", "ended", each verdict, "error" and, of cures, each grade."""
    found = {"total": len(rows), "ended": sum(row.ended for row in rows)}
    for verdict in risk.BANDS:
        found[verdict] = sum(row.verdict == verdict for row in rows)
    found["error"] = sum(row.error is not None for row in rows)
    for grade in ("holds", "doubt", "failed"):
        found[grade] = sum(row.cure == grade for row in rows)
    return found


def _number(value: Any) -> float | None:
    """A figure, or None for what is none: not measured, or NaN."""
    fine = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if fine else None


def cure_seconds(rows: Iterable[Row]) -> list[tuple[float, float]]:
    """Of each model that was purified, seconds of the scan and of what the purification took beyond it."""
    found = []
    for one in rows:
        if one.cure is not None:
            scan = one.seconds.get("scan", 0.0)
            beyond = sum(one.cure_seconds.get(stage, 0.0) for stage in ("scan", "purify", "verify")) - scan
            found.append((scan, max(0.0, beyond)))
    return found
