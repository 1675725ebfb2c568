"""Detection of backdoors whose trigger is a warp, by random warps of clean images.

A warp (WaNet, Nguyen and Tran, ICLR 2021, arXiv 2102.10369) adds nothing to an image. An inversion looks for a small
addition, and at best finds a poor copy of the warp. But a model that was trained on one warp mostly responds to similar
ones too: most of the images whose class changes under random warps go to the target. An honest model changes as many
images, but to many classes (figures in NOTES.md beside this file).

No other kind of stamps distinguishes as well: noise and waves change the images of honest models to one class, too.
"""

from __future__ import annotations

from collections.abc import Generator

import torch
from torch import Tensor

from core.compute.returning import with_offset
from core.models.classifier import Classifier
from core.models.evaluate import answers
from core.scan.thresholds import MIN_CLASSES, MIN_WARPED_IMAGES, WARPED_RATIO, WARPED_SHARE
from core.triggers.reconstructed import Reconstructed
from core.triggers.stamps import WARP_SHIFT, flip_counts, random_fields

DETECTION_IMAGES = 1000  # clean images that are warped to detect
SEARCH_IMAGES = 200  # clean images that each warp of the search is tried on
WARPS_PER_ROUND, ROUNDS = 24, 3  # of the search; from the second round on, warps near the best one are tried
PERTURBATION = 0.6  # strength of the random warp that is added to the best one


def warp_target(model: Classifier, images: Tensor, seed: int = 0) -> tuple[int, float] | None:
    """The class that random warps change images to, and its share of the changed images, 0-1.

    Args:
        model: the suspect; not changed.
        images: clean images, uint8, (n, 3, h, w).
        seed: of the warps; the same on a CPU gives the same answer.

    Returns:
        None if no class stands out, or if there are too few classes or changed images.
    """
    (counts,) = flip_counts(model, images[:DETECTION_IMAGES], ["warp"], seed)
    return outstanding(counts)


def outstanding(counts: Tensor) -> tuple[int, float] | None:
    """The class that stands out among those that warps changed images to, and its share of the changed images.

    Args:
        counts: images that were changed to each class, (classes,).

    Returns:
        as ``warp_target``.
    """
    if len(counts) < MIN_CLASSES:
        return None
    changed, (first, second) = float(counts.sum()), counts.topk(2).values.tolist()
    stands_out = changed >= MIN_WARPED_IMAGES and first >= max(WARPED_SHARE * changed, WARPED_RATIO * second)
    return (int(counts.argmax()), first / changed) if stands_out else None


def search_warp(
    model: Classifier, images: Tensor, target: int, seed: int = 0
) -> Generator[tuple[int, int], None, Reconstructed]:
    """Random search for the warp that changes most images to a class, as a substitute for a reconstructed trigger.

    Args:
        model: the suspect; not changed.
        images: clean images, uint8, (n, 3, h, w).
        target: the class.
        seed: of the warps.

    Yields:
        warps tried and warps in all.

    Returns:
        the best warp.
    """
    generator = torch.Generator().manual_seed(seed)
    size = (int(images.shape[-2]), int(images.shape[-1]))
    x = images[:SEARCH_IMAGES]
    x = x[answers(model, x).cpu() != target]
    best, best_rate = random_fields(1, size, generator)[0], -1.0
    for number in range(ROUNDS):
        fields = random_fields(WARPS_PER_ROUND, size, generator)
        if number:
            fields = best + PERTURBATION * fields
            mean_shift = fields.abs().mean((1, 2, 3), keepdim=True)
            fields = fields * (WARP_SHIFT[1] / mean_shift).clamp(max=1)
        for tried, field in enumerate(fields):
            trigger = _as_trigger(field, target)
            rate = float((answers(model, x, trigger) == target).float().mean()) if len(x) else 0.0
            if rate > best_rate:
                best, best_rate = field, rate
            yield number * WARPS_PER_ROUND + tried + 1, ROUNDS * WARPS_PER_ROUND
    return _as_trigger(best, target)


def warps_towards(
    model: Classifier, images: Tensor, target: int, count: int, seed: int = 0, known: bool = False
) -> Generator[tuple[int, int], None, list[Reconstructed]]:
    """``count`` warps of ``search_warp`` if random warps lead to the class; else none, and no search.

    A backdoor whose trigger is a warp also responds to additions, which is how most scans name it. A purification that
    sees these alone leaves the warp. So both the purification and its proof ask for it.

    Args:
        known: whether random warps were seen to lead there before, on more images perhaps, so that it is not asked.

    Other arguments and what is yielded are as for ``search_warp``; counted over all warps.
    """
    if not known:
        found = warp_target(model, images, seed)
        if found is None or found[0] != target:
            return []
    warps, each = [], ROUNDS * WARPS_PER_ROUND
    for number in range(count):
        search = search_warp(model, images, target, seed + number)
        warps.append((yield from with_offset(search, number * each, count * each)))
    return warps


def _as_trigger(field: Tensor, target: int) -> Reconstructed:
    return Reconstructed("warp", torch.cat([field, torch.zeros_like(field[:1])]), None, target)
