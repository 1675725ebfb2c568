"""How easily the target class is reached on victim and purified model alike, beside other classes.

A backdoor answers to many triggers. A purification that saw a few of one kind may remove the small ones, which every
reconstruction finds first, and leave those that are spread wider: each fresh trigger then fails, and the attacker's
still works. So triggers that work on both models are sought in every form, for the target and for honest classes, and
their sizes are compared. An honest class needs as much as others do.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence

from core.scan.thresholds import MAX_COUNTER_EVIDENCE
from core.triggers.reconstructed import Reconstructed

MIN_RATE = 50.0  # percent, on both models: a trigger that works less has no size that could be compared


def relative_size(
    forms: Iterable[Sequence[tuple[Reconstructed, float]]], suspects: Collection[int], target: int
) -> float | None:
    """The size that triggers of the target need on both models, percent of the smallest that other classes need.

    The geometric mean over the forms. A form that does not suit the backdoor speaks against it by half an octave at
    most, as in the suspicion of a scan, so it is 141 at most. Where no other class has a working trigger, the whole
    image is what they need.

    Args:
        forms: for each form, the triggers with their attack success on both models, percent.
        suspects: the target, and classes that are not compared with.
        target: the class.

    Returns:
        None where there was no other class to compare with.
    """
    octaves = []
    for rated in forms:
        if all(one.target in suspects for one, _ in rated):
            continue
        working = [one for one, rate in rated if rate >= MIN_RATE]
        own = min((one.size for one in working if one.target == target), default=math.inf)
        image = float(math.prod(rated[0][0].pattern.shape[-2:]))
        others = min((one.size for one in working if one.target not in suspects), default=image)
        octaves.append(max(MAX_COUNTER_EVIDENCE, math.log2(others / own) if math.isfinite(own) else -math.inf))
    return round(100 * 2 ** -(sum(octaves) / len(octaves)), 1) if octaves else None
