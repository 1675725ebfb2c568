"""Splitting a labelled set in two without losing a class."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from core.errors import BadInput

TRAIN_SHARE = 0.8


def stratified_split(labels: Tensor, names: Sequence[str], share: float, seed: int) -> tuple[Tensor, Tensor]:
    """Positions of the training and of the test images, each ascending; every class is in both.

    Args:
        labels: int64, (n,), 0 .. len(names) - 1.
        names: the classes.
        share: of each class that goes to training, 0-1, to the nearest image.
        seed: the same seed gives the same split.

    Raises:
        BadInput: ``class_without_images`` or ``class_too_small_to_split``.
    """
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    train, test = [], []
    for label, name in enumerate(names):
        members = order[labels[order] == label]
        if len(members) == 0:
            raise without_images(name)
        if len(members) < 2:
            raise BadInput(
                "class_too_small_to_split",
                f"Class {name} has one image only; a set that comes without a test part is split in two and needs at "
                "least two images per class.",
                name=name,
            )
        cut = min(max(int(len(members) * share + 0.5), 1), len(members) - 1)
        train.append(members[:cut])
        test.append(members[cut:])
    return torch.cat(train).sort().values, torch.cat(test).sort().values


def without_images(name: str, where: str = "") -> BadInput:
    """The error for an empty class; ``where`` is a folder, or a part of the set."""
    place = f" in {where}" if where else ""
    return BadInput(
        "class_without_images",
        f"Class {name} has no images{place}; each class needs at least one.",
        name=name,
        where=where,
    )
