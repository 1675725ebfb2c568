"""Triggers of one class in every form in which it needs smaller ones than honest classes do.

A scan ends at the first form that decides it. A backdoor responds to other forms too, often to wide and faint patterns,
and what is not trained against may stay. So the purification and its proof both reconstruct triggers in every form, on
other images and from other starts. A form in which the class needs as much as honest classes says nothing of a backdoor
and is left out.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Generator, Iterable
from typing import NamedTuple

from torch import Tensor

from core.compute.returning import with_offset
from core.models.classifier import Classifier
from core.scan import FORMS
from core.scan.restarts import Effort, restarts
from core.scan.shared import honest_classes
from core.scan.warped import ROUNDS, WARPS_PER_ROUND, warps_towards
from core.triggers.reconstructed import Reconstructed

COMPARISON_CLASSES = 2  # honest classes that are reconstructed for comparison
WARPS_TRIED = ROUNDS * WARPS_PER_ROUND


class InEveryForm(NamedTuple):
    """``triggers``: working triggers of the class. ``others``: triggers of the comparison classes, in all forms."""

    triggers: list[Reconstructed]
    others: list[Reconstructed]


def in_every_form(
    model: Classifier,
    images: Tensor,
    target: int,
    count: int,
    effort: Effort,
    max_ratio: float,
    seed: int = 0,
    suspects: Collection[int] = (),
    warped: bool = False,
    last: bool = False,
) -> Generator[tuple[int, int], None, InEveryForm]:
    """``count`` triggers in each form of the inversion in which the class stands out, and warps.

    Args:
        model: the suspect; not changed.
        images: clean images, uint8, (n, 3, h, w).
        target: the class.
        count: triggers in each form.
        effort: of each trigger.
        max_ratio: of the size of the class's smallest trigger to that of the comparison classes.
        seed: the same on a CPU gives the same triggers.
        suspects: classes that may have a backdoor too, and are not compared with.
        warped: whether warps are known to lead to the class; otherwise that is asked first.
        last: whether the last classes are compared with, and not the first.

    Yields:
        steps done and steps in all.

    Returns:
        the triggers; none of the target if no form shows it.
    """
    steps = effort.steps * len(FORMS)
    targets = [target] * count + honest_classes(model.num_classes, {target, *suspects}, COMPARISON_CLASSES, last)
    found: list[Reconstructed] = []
    others: list[Reconstructed] = []
    for number, form in enumerate(FORMS):
        search = restarts(model, images, form, targets, effort, seed + 31 * number)
        made = yield from with_offset(search, number * effort.steps, steps)
        own, rest = ([one for one in made if (one.target == target) is wanted] for wanted in (True, False))
        if _smallest(own) <= max_ratio * _smallest(rest):
            found += own
        others += rest
    warps = warps_towards(model, images, target, count, seed + 101, warped)
    found += yield from with_offset(warps, steps, steps + count * WARPS_TRIED)
    return InEveryForm(found, others)


def _smallest(triggers: Iterable[Reconstructed]) -> float:
    return min((trigger.size for trigger in triggers), default=math.inf)
