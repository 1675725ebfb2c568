"""How much a model is a risk: evidence of a backdoor x what a wrong answer costs. Pure: figures in, a number out.

A rule to put models in an order, and no probability. The evidence lies in a band by the scan's verdict, so that no
model without a sign is ever ranked above one with signs of the same exposure, and within the band by how far the
target class stands out: the suspicion, in octaves (``core.scan.scan``). A model without any sign keeps a little, for
no sign is no proof; and more of it where copies of it fell back on one class (``core.scan.unlearned``), which is a
reason for caution. The estimated attack success is left out: some pattern that fools it can be found for every network.
"""

from __future__ import annotations

import math

EXPOSURE = (1, 2, 3, 4, 5)
UNKNOWN = EXPOSURE[-1]  # an exposure that nobody stated counts as the highest: what is not known is not ranked low
BANDS = {"none": (0.0, 0.2), "some": (0.4, 0.65), "strong": (0.7, 1.0)}
CAUTION = 0.1  # the least of a model without a sign whose copies fell back on one class
HALF = 3.5  # octaves of suspicion at half of a band: where the verdict calls a sign strong (``core.scan.verdict``)


def evidence(verdict: str, suspicion: float, caution: bool = False) -> float:
    """0-1, rising with the verdict, and with the suspicion within it.

    Args:
        verdict: "strong", "some" or "none".
        suspicion: of the most suspicious class, octaves; below 0, or not a number, counts as 0.
        caution: whether copies fell back on one class; of a model without a sign.
    """
    low, high = BANDS[verdict]
    octaves = max(0.0, suspicion) if not math.isnan(suspicion) else 0.0
    found = low + (high - low) * (1 - 2 ** (-octaves / HALF))
    return max(found, CAUTION) if caution and verdict == "none" else found


def risk(found: float, exposure: int | None) -> float:
    """0-100: ``evidence`` times the exposure's share of the highest one, one digit.

    Args:
        found: evidence, 0-1.
        exposure: 1-5; None counts as ``UNKNOWN``.
    """
    return round(100 * found * (UNKNOWN if exposure is None else exposure) / EXPOSURE[-1], 1)
