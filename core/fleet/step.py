"""The next step for a model, and an estimate of its seconds on this machine. Pure functions.

The cost of a purification is told from seconds that were measured: of this very model's scan, times what purification
and proof took per second of scan in the same fleet; before the first of them, as in the recordings we ship.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Literal

Step = Literal["wait", "mend", "purify", "caution", "watch", "rollout", "review", "retrain", "again"]
NEEDS_PURIFICATION = ("strong", "some")  # verdicts
# Purification and proof for a second of scan: median of the shipped recordings of MCL, which drew a map besides (4-15).
PURIFY_PER_SCAN = 9.0


def step(verdict: str | None, cure: str | None, error: bool, cure_error: bool = False, caution: bool = False) -> Step:
    """What to do next.

    Args:
        verdict: of the scan; None before its end.
        cure: "holds", "doubt" or "failed"; None where nothing was purified.
        error: whether the model could not be looked at. cure_error: whether its purification ended with a fault.
        caution: as ``core.fleet.risk.evidence``.
    """
    if error:
        return "mend"
    if cure is not None:
        return {"holds": "rollout", "doubt": "review"}.get(cure, "retrain")  # type: ignore[return-value]
    if verdict is None:
        return "wait"
    if verdict in NEEDS_PURIFICATION:
        return "again" if cure_error else "purify"
    return "caution" if caution else "watch"


def seconds(what: Step, spent: Mapping[str, float], per_scan: float) -> float | None:
    """Seconds that a step takes on the machine that measured ``spent``; None where it is nothing for a machine.

    Args:
        spent: of this model's scan, by stage. per_scan: as ``per_scan`` gives it.
    """
    if not spent:
        return None
    if what in ("purify", "again", "caution"):  # it goes on from the scan, and reads model and images again
        return spent.get("load", 0.0) + per_scan * spent.get("scan", 0.0)
    if what == "watch":  # the scan again, once the model has changed
        return sum(spent.values())
    return None


def per_scan(cures: Sequence[tuple[float, float]]) -> float:
    """Seconds of purification and proof per second of scan: the median of (scan, purification and proof) pairs."""
    ratios = [after / scan for scan, after in cures if scan > 0]
    return median(ratios) if ratios else PURIFY_PER_SCAN
