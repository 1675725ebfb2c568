"""Poisoning a training set: which images get the trigger, and what they are then called."""

from __future__ import annotations

import torch
from torch import Tensor

from core.attacks.trigger import Poisoned, Trigger
from core.data.imageset import as_float
from core.errors import BadInput


def require_rate(rate: float) -> None:
    """Of a poisoning, before anything is loaded.

    Raises:
        BadInput: ``poison_rate``.
    """
    if not 0 < rate <= 1:
        raise BadInput("poison_rate", f"The poisoning rate {rate} must lie above 0 and at most at 1.", rate=rate)


def poison(images: Tensor, labels: Tensor, trigger: Trigger, target: int, rate: float, seed: int) -> Poisoned:
    """A poisoned copy of a training set.

    Args:
        images: uint8, shape (n, 3, h, w).
        labels: int64, shape (n,).
        trigger: makes the poisoned images and the cover images. For each poisoned image there are
            ``trigger.cover_rate`` cover images, as far as there are others of the same kind; they keep their labels.
        target: the class the poisoned images are then called.
        rate: share of the set that is poisoned, 0-1; for a clean-label attack, share of the *target class*.
        seed: chooses the images.

    Raises:
        BadInput: the rate is outside (0, 1], or no image can be poisoned.
    """
    require_rate(rate)
    generator = torch.Generator().manual_seed(seed)
    eligible = torch.nonzero(labels == target if trigger.clean_label else labels != target).flatten()
    pool = len(eligible) if trigger.clean_label else len(labels)
    count = min(max(1, round(rate * pool)), len(eligible))
    if len(eligible) == 0:
        raise BadInput("nothing_to_poison", f"No training image can be poisoned for class {target}.", target=target)
    order = eligible[torch.randperm(len(eligible), generator=generator)]
    chosen = order[:count]
    images, labels = images.clone(), labels.clone()
    images[chosen] = to_uint8(trigger.planted(as_float(images[chosen]), generator))
    labels[chosen] = target
    covers = order[count : count + round(count * trigger.cover_rate)]
    if len(covers):
        images[covers] = to_uint8(trigger.covers(as_float(images[covers]), generator))
    return Poisoned(images, labels, chosen)


def to_uint8(images: Tensor) -> Tensor:
    """Float images in [0, 1] to uint8, rounded as a camera or file would."""
    return images.mul(255).round_().clamp_(0, 255).to(torch.uint8)
