"""The clean budget: the few labelled clean images a defender has, taken from the training set."""

from __future__ import annotations

import math
from numbers import Integral, Real

import torch
from torch import Tensor

from core.data.split import without_images
from core.errors import BadInput


def clean_budget(y: Tensor, share_or_count: float | int, num_classes: int, seed: int) -> Tensor:
    """Stratified sample of the training images: each class keeps its share, and has one image at least.

    Args:
        y: classes of the training images, int64, (n,), 0 .. num_classes - 1.
        share_or_count: a float above 0 and below 1 is a share of the images; a whole number from 1 up is a count.
        num_classes: how many classes the set has.
        seed: the same seed gives the same images.

    Returns:
        int64, (k,), ascending positions in ``y`` without repeats; k is the count asked for, or the share of n
        rounded to the nearest whole number. Each class is within one image of its share, save where the least of
        one image per class lifts a rare one.

    Raises:
        BadInput: ``budget_out_of_range``, ``budget_too_small`` or ``class_without_images``.
    """
    total = _count(share_or_count, len(y))
    sizes = torch.bincount(y, minlength=num_classes).tolist()
    if 0 in sizes:
        raise without_images(str(sizes.index(0)), "train")
    if total < num_classes:
        raise BadInput(
            "budget_too_small",
            f"A clean budget of {total} images is smaller than the {num_classes} classes; each class needs at least "
            f"one image, so ask for {num_classes} or more.",
            count=total,
            classes=num_classes,
        )
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(y), generator=generator)
    by_class = order[torch.argsort(y[order], stable=True)]  # class after class, shuffled within each
    starts = torch.tensor([0, *sizes]).cumsum(0).tolist()
    chosen = [by_class[start : start + k] for start, k in zip(starts, quotas(sizes, total), strict=False)]
    return torch.cat(chosen).sort().values


def quotas(sizes: list[int], total: int) -> list[int]:
    """How many of each class make ``total``: proportional, by largest remainder, at least one of each.

    Args:
        sizes: images per class, each at least 1.
        total: len(sizes) .. sum(sizes).
    """
    everything = sum(sizes)
    ideal = [size * total / everything for size in sizes]
    taken = [max(1, math.floor(share)) for share in ideal]
    while sum(taken) < total:  # to the class that is furthest below its share
        _, _, richest = max((ideal[k] - taken[k], -k, k) for k in range(len(sizes)) if taken[k] < sizes[k])
        taken[richest] += 1
    while sum(taken) > total:  # the least of one has overdrawn: from the class furthest above its share
        _, _, poorest = max((taken[k] - ideal[k], -k, k) for k in range(len(sizes)) if taken[k] > 1)
        taken[poorest] -= 1
    return taken


def _count(share_or_count: float | int, available: int) -> int:
    whole = isinstance(share_or_count, Integral) and not isinstance(share_or_count, bool)
    if whole and 1 <= share_or_count <= available:
        return int(share_or_count)
    if not whole and isinstance(share_or_count, Real) and 0 < share_or_count < 1:
        return math.floor(share_or_count * available + 0.5)
    raise BadInput(
        "budget_out_of_range",
        f"A clean budget of {share_or_count} cannot be used; give a share between 0 and 1 (0.05 is 5 %), or a whole "
        f"number of images from 1 to {available}.",
        given=str(share_or_count),
        available=available,
    )
