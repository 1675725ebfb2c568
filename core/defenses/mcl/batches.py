"""What a batch of MCL's default is made of: images with triggers or stamps, and the victim's answers that are kept."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from core.models.classifier import Classifier
from core.models.evaluate import features_and_logits
from core.triggers.reconstructed import Reconstructed
from core.triggers.stamps import stamped


class Attacked(NamedTuple):
    """Images with a trigger or a stamp, and what their loss terms need.

    ``images``: x_t, (k, 3, h, w). ``features0``: f0(x_t), (k, d). ``margins``: added to the logits in the supervised
    term, (k, classes).
    """

    images: Tensor
    features0: Tensor
    margins: Tensor


def joined(kinds: Sequence[Attacked]) -> Attacked:
    """Several kinds of attacked images as one batch."""
    return Attacked(*(torch.cat(part) for part in zip(*kinds, strict=True)))


def with_triggers(
    victim: Classifier, triggers: Sequence[Reconstructed], x: Tensor, y: Tensor, margin: float, generator: Generator
) -> Attacked:
    """Each image with one of the triggers, drawn at random; the margin is against the target of that one.

    They are drawn image by image, so that a batch mixes them.

    Args:
        victim: the backdoored model.
        triggers: at least one; their targets may differ.
        x: clean images, float (k, 3, h, w).
        y: their classes, (k,).
        margin: logits.
        generator: on the CPU.
    """
    which = torch.randint(len(triggers), (len(x),), generator=generator).to(x.device)
    x_t = torch.empty_like(x)
    for number in which.unique().tolist():
        x_t[which == number] = triggers[number](x[which == number])
    against = torch.tensor([trigger.target for trigger in triggers], device=x.device)[which]
    return Attacked(x_t, features_and_logits(victim, x_t)[0], margins(against, y, margin, victim.num_classes))


def with_stamps(
    victim: Classifier, shares: Tensor, x: Tensor, y: Tensor, margin: float, generator: Generator
) -> Attacked:
    """Each image with a random stamp; the margin is against the class that the victim answers.

    Args:
        shares: how often each kind of stamps is drawn, as ``core.triggers.stamps.stamped`` takes it; the other
            arguments are those of ``with_triggers``.
    """
    x_t = stamped(x, generator, shares)
    features0, logits0 = features_and_logits(victim, x_t)
    return Attacked(x_t, features0, margins(logits0.argmax(1), y, margin, victim.num_classes))


def margins(against: Tensor, y: Tensor, margin: float, classes: int) -> Tensor:
    """(k, classes): ``margin`` at the classes ``against`` (k,), but 0 where that is the image's own class ``y``
    (k,)."""
    return F.one_hot(against, classes) * (margin * (against != y))[:, None]


def without_targets(logits: Tensor, labels: Tensor, targets: Sequence[int]) -> Tensor:
    """The victim's logits with the backdoors' part taken out.

    On an image that is not of a target class, the logit of that class is lowered to the largest one of the classes that
    are no target or that the image is of, if it exceeds it.

    Args:
        logits: (k, classes); not changed.
        labels: class shares of the images, (k, classes).
        targets: the target classes.
    """
    is_target = torch.zeros(logits.shape[1], dtype=torch.bool, device=logits.device)
    is_target[list(targets)] = True
    suspect = is_target & (labels == 0)
    limit = logits.masked_fill(suspect, -math.inf).amax(1, keepdim=True)
    return torch.where(suspect, torch.minimum(logits, limit), logits)
