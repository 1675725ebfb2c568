"""From what the scan found to a verdict in three grades, with its reasons.

The thresholds stand between fourteen victims and four clean networks, shipped ones and some of
``tests/benchmarks/strangers`` (NOTES.md beside this file).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

from core.inversion.scan import Scan

Grade = Literal["strong", "some", "none"]
# The target's triggers against those of the other classes: octaves below the median, summed over the forms, and how
# many times larger the smallest trigger of any other class is in the form that shows it best.
STRONG = (3.5, 1.8)
SOME = (2.2, 1.3)
HINT = (2.0, 1.3)
FEW = 4  # classes: with fewer there is too little to compare with for strong signs


@dataclass(frozen=True)
class Verdict:
    """``grade``: strong, some or no signs of a backdoor of the kinds covered. ``facts``: the figures it rests on.

    ``hint``: whether a purification should go by what was found, be it called a sign or not.
    """

    grade: Grade
    facts: dict[str, Any] = field(default_factory=dict)
    hint: bool = True


def judge(found: Scan) -> Verdict:
    """Strong where one form settles it, or one class stands far out in suspicion and in one form at least; some where
    it does less."""
    suspicion, main = float(found.suspicion[found.target]), found.main
    gap = found.gap(main)
    second = float(found.suspicion.topk(2).values[1]) if len(found.suspicion) > 1 else -math.inf
    grade: Grade = "strong" if found.settled else "none"
    for name, (octaves, times) in (("some", SOME), ("strong", STRONG)):
        if not found.settled and suspicion >= octaves and gap >= times:
            grade = name  # type: ignore[assignment]
    if grade == "strong" and len(found.suspicion) < FEW:
        grade = "some"
    facts = {
        "suspicion": round(suspicion, 2),
        "second_suspicion": round(second, 2),
        "form": main.form,
        "gap": round(gap, 2),
        "anomaly_index": round(found.index(main), 2),
        "size": round(float(main.sizes[found.target]), 1) if bool(main.sizes[found.target].isfinite()) else None,
        "attack_rate": round(100 * float(main.attack_rates[found.target]), 1),
    }
    return Verdict(grade, facts, grade != "none" or (suspicion >= HINT[0] and gap >= HINT[1]))
