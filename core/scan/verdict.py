"""The verdict on a scan: three grades, with the figures behind them.

``core.scan.thresholds`` has the thresholds and what they were calibrated on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from core.scan.scan import Scan, standing_out
from core.scan.thresholds import HINT, MIN_CLASSES, SOME, STRONG

Grade = Literal["strong", "some", "none"]


@dataclass(frozen=True)
class Verdict:
    """The verdict.

    Attributes:
        grade: strong, some or no signs of a backdoor of the kinds that the scan covers.
        facts: the figures it rests on, all of the target: ``suspicion`` and ``second_suspicion`` (the next class's),
            octaves; ``form``, the one in which it stands out most, and there ``gap`` (ratio), ``anomaly_index``,
            ``size`` (pixels, or None) and ``attack_rate`` (percent); ``sooner``, how many times earlier it was reached
            than any other class. ``core.scan.evidence`` adds ``warped`` or ``fallen_back``, percent, where the class
            was named by that.
        hint: whether a purification should train against the triggers, at least as doubtful ones.
        sure: whether a purification may take the triggers for well reconstructed: their size alone is a strong sign.
    """

    grade: Grade
    facts: dict[str, Any] = field(default_factory=dict)
    hint: bool = True
    sure: bool = False


def judge(found: Scan) -> Verdict:
    """The verdict on the target of a scan; strong signs need one decisive form, or suspicion and ratio above STRONG."""
    suspicion, main = float(found.suspicion[found.target]), found.main
    gap = found.gap(main)
    others = [value for label, value in enumerate(found.suspicion.tolist()) if label != found.target]
    second = max(others, default=-math.inf)

    def reached(limits: tuple[float, float], octaves: float, ratio: float) -> bool:
        return found.decisive or (octaves >= limits[0] and ratio >= limits[1])

    ratio = max(gap, found.lead_ratio)
    strong, some, hint = (reached(limits, suspicion, ratio) for limits in (STRONG, SOME, HINT))
    grade: Grade = "strong" if strong and len(found.suspicion) >= MIN_CLASSES else "some" if some else "none"
    sure = grade == "strong" and reached(STRONG, suspicion - found.lead, gap)
    facts = {
        "suspicion": round(suspicion, 2),
        "second_suspicion": round(second, 2),
        "form": main.form,
        "gap": round(gap, 2),
        "sooner": round(found.lead_ratio, 2),
        "anomaly_index": round(found.index(main), 2),
        "size": round(float(main.sizes[found.target]), 1) if bool(main.sizes[found.target].isfinite()) else None,
        "attack_rate": round(100 * float(main.attack_rates[found.target]), 1),
    }
    return Verdict(grade, facts, hint, sure)


def other_suspects(suspicion: Sequence[float], named: str, most_suspicious: int, target: int) -> list[int]:
    """Classes beside ``target`` that stand out on the same model: a network can have more than one backdoor.

    The verdict is about one class. Another one counts if it is as suspicious as some signs ask for. On 23 victims of
    one target the second class reaches 2.3 octaves at most; on two victims of two targets, 4.7 and 10.7.

    Args:
        suspicion: of each class, octaves, as the scan has it.
        named, most_suspicious: the grade of the scan's verdict, and the class that it is about.
        target: the class that is looked after already.

    Returns:
        the most suspicious first.
    """
    found = standing_out(suspicion)
    if named != "none" and len(suspicion) >= MIN_CLASSES:
        found.add(most_suspicious)
    return sorted(found - {target}, key=lambda label: -suspicion[label])
