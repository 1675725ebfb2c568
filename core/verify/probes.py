"""Triggers to try a purified model with, none of which the purification was trained on.

A reconstructed trigger is one of many that open the same door, and a purification that learnt to refuse it may not
refuse the others, the attacker's among them. So the proof takes triggers of its own: fresh ones, reconstructed anew
from the *victim*, from other starts and on other images, with moved and larger or stronger copies of each. (Those that
are sought on victim and purified model together stand in ``core.scan.shared``.)
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterable
from dataclasses import replace
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from core.compute.returning import Returning
from core.models.classifier import Classifier
from core.scan import FORMS
from core.scan.restarts import Effort, restarts
from core.scan.warped import nearest
from core.triggers.reconstructed import Reconstructed

FRESH = Effort(steps=60, images=12, attack_rate=0.97)
STARTS = 2  # of the class, in each form
OTHERS = 2  # classes beside it, for comparison
SMALLER = 0.67  # times the smallest trigger of the others: a form in which the class needs more shows no backdoor
STRONGER = 1.5  # times what is added
MOVE = 2  # pixels


class Fresh(NamedTuple):
    """``triggers``: of the class, those that work. ``others``: other classes', in all forms."""

    triggers: list[Reconstructed]
    others: list[Reconstructed]


def fresh(
    victim: Classifier, images: Tensor, target: int, forms: Iterable[str], seed: int
) -> Generator[tuple[int, int], None, Fresh]:
    """Triggers of one class, reconstructed anew, in the forms in which they are smaller than other classes' are.

    A trigger as large as that of an honest class is no rest of a backdoor, whatever it does.

    Args:
        victim: the model as it came.
        images: clean images that the purification did not see, uint8, (n, 3, h, w).
        target: the class.
        forms: of the triggers that the scan found; a warp among them is looked for too.
        seed: another than the scan's.

    Yields:
        steps done and steps in all.

    Returns:
        the triggers that work; none where no form shows the class.
    """
    steps, warps = FRESH.steps * len(FORMS), 72 if "warp" in forms else 0
    targets = [target] * STARTS + others(victim, target)
    found: list[Reconstructed] = []
    beside: list[Reconstructed] = []
    for number, form in enumerate(FORMS):
        one = restarts(victim, images, form, targets, FRESH, seed + 31 * number)
        made = yield from _shifted(one, number * FRESH.steps, steps + warps)
        own, rest = ([one for one in made if (one.target == target) is wanted] for wanted in (True, False))
        if _smallest(own) <= SMALLER * _smallest(rest):
            found += own
        beside += rest
    if warps:
        for done, _, warp in nearest(victim, images, target, seed + 101):
            yield steps + done, steps + warps
            found += [warp] if warp else []
    return Fresh(found, beside)


def _smallest(triggers: Iterable[Reconstructed]) -> float:
    return min((trigger.size for trigger in triggers), default=math.inf)


def others(victim: Classifier, target: int) -> list[int]:
    """Classes to compare with."""
    return [label for label in range(victim.num_classes) if label != target][:OTHERS]


def _shifted(
    steps: Generator[tuple[int, int], None, list[Reconstructed]], before: int, total: int
) -> Generator[tuple[int, int], None, list[Reconstructed]]:
    work = Returning(steps)
    for done, _ in work:
        yield before + done, total
    return work.result


def copies(trigger: Reconstructed) -> list[Reconstructed]:
    """The trigger moved to the four sides, and larger: a mask grown by a pixel, or more of what is added."""
    pattern, mask = trigger.pattern, trigger.mask
    moves = [(0, MOVE), (0, -MOVE), (MOVE, 0), (-MOVE, 0)]
    moved = [
        replace(trigger, pattern=_rolled(pattern, move), mask=None if mask is None else _rolled(mask, move))
        for move in moves
    ]
    if mask is None:
        return [*moved, replace(trigger, pattern=STRONGER * pattern)]
    larger = F.max_pool2d(mask[None], 3, stride=1, padding=1)[0]
    return [*moved, replace(trigger, mask=larger)]


def _rolled(picture: Tensor, move: tuple[int, int]) -> Tensor:
    """(c, h, w), moved down and right; what leaves on one side is gone, and nothing comes in on the other."""
    down, right = move
    rolled = picture.roll((down, right), (1, 2))
    rows, columns = torch.arange(picture.shape[1]), torch.arange(picture.shape[2])
    stays = ((rows - down >= 0) & (rows - down < len(rows)))[:, None] & (
        (columns - right >= 0) & (columns - right < len(columns))
    )
    return rolled * stays.to(rolled)
