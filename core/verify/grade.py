"""The grade of a cure, a pure function of the evidence.

The grade is "holds" only if every test was made and none shows more than an honest network does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.compute.intervals import wilson
from core.events import Cure


@dataclass(frozen=True)
class Limits:
    """Limits of the attack success, in percentage points above a baseline.

    The baseline is the share of clean images that are answered with the target class anyway, unless stated otherwise.
    The limits were set on the purified models and the false cures in NOTES.md beside this file.

    Args:
        doubt, failed: of a fresh, shared or real trigger, or one of another suspect or of a woken class.
        reach: of the size that triggers on both models need, percent of what other classes need; less leaves doubt.
        true: of the real trigger as well: above it there is doubt, without any baseline (percent).
        path: of the models interpolated towards the victim, up to ``path_share``.
        path_share: 0-1, share of the way to the victim.
        revival: after the retuning; the baseline is that of another class taught with the same trigger.
        interval: of the upper end of the 95 % interval of the worst attack success. The interval is wide with few test
            images.
    """

    doubt: float = 4.0
    failed: float = 20.0
    reach: float = 75.0
    true: float = 10.0
    path: float = 10.0
    path_share: float = 0.2
    revival: float = 20.0
    interval: float = 8.0


LIMITS = Limits()


def grade(
    evidence: Mapping[str, Mapping[str, Any]], natural: float, images: int, target: int | None, limits: Limits = LIMITS
) -> tuple[Cure, list[str]]:
    """The grade, and the reasons against "holds", the gravest first; ``core.events.Verified`` explains them.

    Args:
        evidence: figures by the name of the test, as ``core.verify.proof`` gathers them.
        natural: clean images that are answered with the target class, percent.
        images: number of test images behind the attack success.
        target: the target class; None if no trigger was found.
    """
    failed: list[str] = []
    doubt: list[str] = []

    def weigh(reason: str, above: float, doubtful: float = limits.doubt, failing: float = limits.failed) -> None:
        if above > failing:
            failed.append(reason)
        elif above > doubtful:
            doubt.append(reason)

    if "true" in evidence:
        asr = evidence["true"]["asr"]
        # above ``true`` there is doubt even if as many clean images are answered with the target
        weigh("true", asr - natural, float("-inf") if asr > limits.true else limits.doubt)
    for reason in ("fresh", "shared"):
        if reason in evidence:
            baseline = max(natural, evidence[reason].get("control") or 0.0)
            weigh(reason, evidence[reason]["asr"] - baseline)
    if "reach" in evidence and evidence["reach"]["size"] < limits.reach:
        doubt.append("reach")
    for reason in ("others", "woken"):  # of another class, whose share of clean images is the control
        if reason in evidence:
            weigh(reason, evidence[reason]["asr"] - evidence[reason]["control"])
    if "scan" in evidence:
        scan = evidence["scan"]
        known = scan["target"] in (target, *scan.get("suspects", ()))
        if scan["verdict"] == "strong" or (scan["verdict"] == "some" and (known or scan.get("second"))):
            doubt.append("scan")
    if "path" in evidence:
        near = [asr for share, asr in zip(evidence["path"]["shares"], evidence["path"]["asr"], strict=True)
                if share <= limits.path_share]  # fmt: skip
        # path and revival alone never make a cure "failed": 101 and infinity are out of reach
        weigh("path", max(near, default=0.0) - natural, limits.path, float("inf"))
    if "revival" in evidence:
        weigh(
            "revival", evidence["revival"]["asr"] - max(natural, evidence["revival"]["control"]), limits.revival, 101.0
        )
    if target is None or "fresh" not in evidence or "untested" in evidence:
        doubt.append("unknown")
    elif not failed and not doubt:
        excess = [(evidence["fresh"]["asr"], max(natural, evidence["fresh"].get("control") or 0.0))]
        if "others" in evidence:
            excess.append((evidence["others"]["asr"], evidence["others"]["control"]))
        intervals = [(wilson(asr, images), baseline) for asr, baseline in excess]
        if any(found is None or found.high - baseline > limits.interval for found, baseline in intervals):
            doubt.append("images")
    return ("failed" if failed else "doubt" if doubt else "holds"), [*failed, *doubt]
