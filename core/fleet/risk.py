"""The risk score of a model: evidence of a backdoor times exposure. A pure function.

The score ranks models; it is not a probability. The scan's verdict sets a band of the evidence, so that no model
without signs ranks above one with signs at the same exposure. Within the band, the evidence rises with the suspicion in
octaves (``core.scan.scan``). A model without signs has some evidence left, since no sign is no proof, and more of it if
it has a fallback class (``core.scan.unlearned``). The estimated ASR does not count: every network has some pattern that
fools it.
"""

from __future__ import annotations

import math

EXPOSURE = (1, 2, 3, 4, 5)
UNKNOWN = EXPOSURE[-1]  # an unknown exposure counts as the highest
BANDS = {"none": (0.0, 0.2), "some": (0.4, 0.65), "strong": (0.7, 1.0)}
MIN_WITH_FALLBACK = 0.1  # least evidence of a model without signs that has a fallback class
HALF_BAND = 3.5  # octaves of suspicion at the middle of a band: those of strong signs (``core.scan.thresholds.STRONG``)


def evidence(verdict: str, suspicion: float, caution: bool = False) -> float:
    """0-1, rising with the verdict, and with the suspicion within it.

    Args:
        verdict: "strong", "some" or "none".
        suspicion: of the most suspicious class, octaves; below 0, or not a number, counts as 0.
        caution: whether a model without signs has a fallback class.
    """
    low, high = BANDS[verdict]
    octaves = max(0.0, suspicion) if not math.isnan(suspicion) else 0.0
    found = low + (high - low) * (1 - 2 ** (-octaves / HALF_BAND))
    return max(found, MIN_WITH_FALLBACK) if caution and verdict == "none" else found


def risk(found: float, exposure: int | None) -> float:
    """0-100: ``evidence`` times the exposure's share of the highest one, one digit.

    Args:
        found: evidence, 0-1.
        exposure: 1-5; None counts as ``UNKNOWN``.
    """
    return round(100 * found * (UNKNOWN if exposure is None else exposure) / EXPOSURE[-1], 1)
