"""Fresh triggers: test triggers for a purified model that no purification was trained on.

A backdoor responds to many triggers. A purification that removes the response to one of them may leave the others, the
attacker's among them. So the proof reconstructs triggers anew from the *victim*, with other seeds and on other images,
and adds variants of each: moved, larger or stronger. (``core.scan.shared`` searches on victim and purified model at
once.)
"""

from __future__ import annotations

import math
from collections.abc import Collection, Generator, Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

from core.compute.returning import Returning
from core.models.classifier import Classifier
from core.scan import FORMS
from core.scan.restarts import Effort, restarts
from core.scan.shared import honest_classes
from core.scan.warped import search_warp
from core.triggers.reconstructed import Reconstructed

EFFORT = Effort(steps=60, images=12, attack_rate=0.97)
RESTARTS = 2  # of the target class, in each form
COMPARISON_CLASSES = 2  # other classes that are reconstructed for comparison
MAX_SIZE_RATIO = 0.67  # of a trigger's size to the smallest of other classes: a larger one is no sign of a backdoor
STRENGTH_FACTOR = 1.5  # of a variant of an added pattern
SHIFT_PIXELS = 2  # of the moved variants
WARPS_TRIED = 72  # by ``search_warp``
Found = TypeVar("Found")


class Fresh(NamedTuple):
    """``triggers``: working triggers of the target. ``others``: triggers of the comparison classes, in all forms."""

    triggers: list[Reconstructed]
    others: list[Reconstructed]


def fresh(
    victim: Classifier, images: Tensor, target: int, forms: Iterable[str], seed: int, suspects: Collection[int] = ()
) -> Generator[tuple[int, int], None, Fresh]:
    """Triggers of one class, reconstructed anew, in the forms in which they are smaller than those of other classes.

    A trigger as large as that of an honest class is no sign of a backdoor, whatever its success.

    Args:
        victim: the backdoored model; not changed.
        images: clean images that the purification did not use, uint8, (n, 3, h, w).
        target: the class.
        forms: of the triggers that the scan found; a warp is searched for only if "warp" is among them.
        seed: different from the scan's.
        suspects: classes that may have a backdoor too, and are not compared with.

    Yields:
        steps done and steps in all.

    Returns:
        the triggers; none of the target if no form shows it.
    """
    steps, warps = EFFORT.steps * len(FORMS), WARPS_TRIED if "warp" in forms else 0
    targets = [target] * RESTARTS + honest_classes(victim.num_classes, {target, *suspects}, COMPARISON_CLASSES)
    found: list[Reconstructed] = []
    others: list[Reconstructed] = []
    for number, form in enumerate(FORMS):
        search = restarts(victim, images, form, targets, EFFORT, seed + 31 * number)
        made = yield from with_offset(search, number * EFFORT.steps, steps + warps)
        own, rest = ([one for one in made if (one.target == target) is wanted] for wanted in (True, False))
        if _smallest(own) <= MAX_SIZE_RATIO * _smallest(rest):
            found += own
        others += rest
    if warps:
        search_for_warp = search_warp(victim, images, target, seed + 101)
        found.append((yield from with_offset(search_for_warp, steps, steps + warps)))
    return Fresh(found, others)


def _smallest(triggers: Iterable[Reconstructed]) -> float:
    return min((trigger.size for trigger in triggers), default=math.inf)


def with_offset(
    steps: Generator[tuple[int, int], None, Found], before: int, total: int
) -> Generator[tuple[int, int], None, Found]:
    """``steps`` with its progress counted on from ``before``, of ``total``."""
    work = Returning(steps)
    for done, _ in work:
        yield before + done, total
    return work.result


def variants(trigger: Reconstructed) -> list[Reconstructed]:
    """The trigger moved in four directions, and one larger: a mask grown by a pixel, or a stronger pattern."""
    pattern, mask = trigger.pattern, trigger.mask
    moves = [(0, SHIFT_PIXELS), (0, -SHIFT_PIXELS), (SHIFT_PIXELS, 0), (-SHIFT_PIXELS, 0)]
    moved = [
        replace(trigger, pattern=_translated(pattern, move), mask=None if mask is None else _translated(mask, move))
        for move in moves
    ]
    if mask is None:
        return [*moved, replace(trigger, pattern=STRENGTH_FACTOR * pattern)]
    larger = F.max_pool2d(mask[None], 3, stride=1, padding=1)[0]
    return [*moved, replace(trigger, mask=larger)]


def _translated(picture: Tensor, move: tuple[int, int]) -> Tensor:
    """A picture (c, h, w) moved down and right by so many pixels; zeros come in at the edges."""
    down, right = move
    rolled = picture.roll((down, right), (1, 2))
    rows, columns = torch.arange(picture.shape[1]), torch.arange(picture.shape[2])
    stays = ((rows - down >= 0) & (rows - down < len(rows)))[:, None] & (
        (columns - right >= 0) & (columns - right < len(columns))
    )
    return rolled * stays.to(rolled)


def with_variants(triggers: Iterable[Reconstructed]) -> Iterator[Reconstructed]:
    """Each trigger, followed by its variants."""
    for trigger in triggers:
        yield trigger
        yield from variants(trigger)
