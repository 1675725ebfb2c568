"""From what the scan found to a verdict in three grades, with its reasons.

The thresholds, and what they were set between, stand in ``core.scan.thresholds``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

from core.scan.scan import Scan
from core.scan.thresholds import HINT, LEAST_CLASSES, SOME, STRONG

Grade = Literal["strong", "some", "none"]


@dataclass(frozen=True)
class Verdict:
    """``grade``: strong, some or no signs of a backdoor of the kinds covered. ``facts``: the figures it rests on.

    ``hint``: whether a purification should go by what was found, be it called a sign or not. ``sure``: whether it may
    trust that the trigger is reconstructed well: its size alone has to be a strong sign.
    """

    grade: Grade
    facts: dict[str, Any] = field(default_factory=dict)
    hint: bool = True
    sure: bool = False


def judge(found: Scan) -> Verdict:
    """Strong where one form settles it, or one class stands far out; some where it does less."""
    suspicion, main, settled = float(found.suspicion[found.target]), found.main, found.settled
    gap = found.gap(main)
    others = [value for label, value in enumerate(found.suspicion.tolist()) if label != found.target]
    second = max(others, default=-math.inf)

    def reached(limits: tuple[float, float], octaves: float, times: float) -> bool:
        return settled or (octaves >= limits[0] and times >= limits[1])

    times = max(gap, found.sooner)
    strong, some, hint = (reached(limits, suspicion, times) for limits in (STRONG, SOME, HINT))
    grade: Grade = "strong" if strong and len(found.suspicion) >= LEAST_CLASSES else "some" if some else "none"
    sure = grade == "strong" and reached(STRONG, suspicion - found.lead, gap)
    facts = {
        "suspicion": round(suspicion, 2),
        "second_suspicion": round(second, 2),
        "form": main.form,
        "gap": round(gap, 2),
        "sooner": round(found.sooner, 2),
        "anomaly_index": round(found.index(main), 2),
        "size": round(float(main.sizes[found.target]), 1) if bool(main.sizes[found.target].isfinite()) else None,
        "attack_rate": round(100 * float(main.attack_rates[found.target]), 1),
    }
    return Verdict(grade, facts, hint, sure)
