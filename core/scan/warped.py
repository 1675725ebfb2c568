"""What random warps turn clean images to: one class, where a backdoor answers to warps.

A warp (WaNet, Nguyen and Tran, ICLR 2021, arXiv 2102.10369) adds nothing to a picture, so an inversion that looks for
something small to add finds a poor copy of it at best. But a model that was taught one warp mostly answers to others
like it as well: of the images that random warps turn from the model's answer, most go to the target. An honest model
loses as many images to warps, but to many classes (figures are in NOTES.md beside this file).

Of the other kinds of stamps none tells as much: noise and waves turn the images of honest networks to one class, too.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from core.models.classifier import Classifier
from core.models.evaluate import answers
from core.scan.thresholds import LEAST_CLASSES, LEAST_WARPED, WARPED_SHARE, WARPED_TIMES
from core.triggers.reconstructed import Reconstructed
from core.triggers.stamps import WARP, shifts, turned

WATCHED = 1000  # clean images
TRIED, ROUNDS = 24, 3  # warps a round; those of a later round lie around the best so far
AROUND = 0.6  # how much of another warp is in them
SEEN = 200  # clean images that they are tried on


def warped(model: Classifier, images: Tensor, seed: int = 0) -> tuple[int, float] | None:
    """The class that random warps lead to, and the share of the images they turn that go there, 0-1; or None.

    Args:
        model: the suspect; not changed.
        images: clean images, uint8, (n, 3, h, w).
        seed: of the warps; the same on a CPU gives the same answer.

    Returns:
        None where no class is clear, and where classes or turned images are too few to tell.
    """
    if model.num_classes < LEAST_CLASSES:
        return None
    (counts,) = turned(model, images[:WATCHED], ["warp"], seed)
    every, (first, second) = float(counts.sum()), counts.topk(2).values.tolist()
    clear = every >= LEAST_WARPED and first >= max(WARPED_SHARE * every, WARPED_TIMES * second)
    return (int(counts.argmax()), first / every) if clear else None


def nearest(
    model: Classifier, images: Tensor, target: int, seed: int = 0
) -> Iterator[tuple[int, int, Reconstructed | None]]:
    """Looks for the warp that leads most images to a class: the nearest to a trigger that can be had.

    Args:
        model: the suspect; not changed.
        images: clean images, uint8, (n, 3, h, w).
        target: the class.
        seed: of the warps.

    Yields:
        warps tried, warps in all, and with the last one (None before) the best.
    """
    generator = torch.Generator().manual_seed(seed)
    size = (int(images.shape[-2]), int(images.shape[-1]))
    x = images[:SEEN]
    x = x[answers(model, x).cpu() != target]
    best, most = shifts(1, size, generator)[0], -1.0
    for number in range(ROUNDS):
        fields = shifts(TRIED, size, generator)
        if number:
            fields = best + AROUND * fields
            longest = fields.abs().mean((1, 2, 3), keepdim=True)
            fields = fields * (WARP[1] / longest).clamp(max=1)
        for tried, field in enumerate(fields):
            trigger = _as_trigger(field, target)
            rate = float((answers(model, x, trigger) == target).float().mean()) if len(x) else 0.0
            if rate > most:
                best, most = field, rate
            yield number * TRIED + tried + 1, ROUNDS * TRIED, None
    yield ROUNDS * TRIED, ROUNDS * TRIED, _as_trigger(best, target)


def _as_trigger(shift: Tensor, target: int) -> Reconstructed:
    return Reconstructed("warp", torch.cat([shift, torch.zeros_like(shift[:1])]), None, target)
