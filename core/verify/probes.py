"""Fresh triggers: test triggers for a purified model that no purification was trained on.

A backdoor responds to many triggers. A purification that removes the response to one of them may leave the others, the
attacker's among them. So the proof reconstructs triggers anew from the *victim*, with other seeds and on other images,
and adds variants of each: moved, larger or stronger. (``core.scan.shared`` searches on victim and purified model at
once.)
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterable, Iterator
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from core.models.classifier import Classifier
from core.scan.every_form import InEveryForm, in_every_form
from core.scan.restarts import Effort
from core.triggers.reconstructed import Reconstructed

EFFORT = Effort(steps=60, images=12, attack_rate=0.97)
RESTARTS = 2  # of the target class, in each form
MAX_SIZE_RATIO = 0.67  # of a trigger's size to the smallest of other classes: a larger one is no sign of a backdoor
STRENGTH_FACTOR = 1.5  # of a variant of an added pattern
SHIFT_PIXELS = 2  # of the moved variants


def fresh(
    victim: Classifier, images: Tensor, target: int, seed: int, suspects: Collection[int] = (), warped: bool = False
) -> Generator[tuple[int, int], None, InEveryForm]:
    """Triggers of one class and warps, reconstructed anew (``core.scan.every_form``).

    A trigger as large as that of an honest class is no sign of a backdoor, whatever its success. The purification makes
    its triggers in the same way, so images, seed and the classes that are compared with are others here.

    Args:
        images: clean images that the purification did not use, uint8, (n, 3, h, w).
        seed: different from the scan's.
        victim, target, suspects, warped: as for ``in_every_form``.
    """
    search = in_every_form(victim, images, target, RESTARTS, EFFORT, MAX_SIZE_RATIO, seed, suspects, warped, last=True)
    return (yield from search)


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


def shrunk(trigger: Reconstructed, size: float) -> Reconstructed:
    """The trigger with a fainter mask or pattern, so that it is of this size, pixels, or as it is if it is smaller."""
    factor = min(1.0, size / trigger.size)
    if trigger.mask is None:
        return replace(trigger, pattern=factor * trigger.pattern)
    return replace(trigger, mask=factor * trigger.mask)


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
