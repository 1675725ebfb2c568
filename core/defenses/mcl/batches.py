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
    """Each image with one of the triggers, drawn at random; the margin is against their target.

    They are drawn image by image, so that a batch mixes them.

    Args:
        victim: the backdoored model.
        triggers: at least one, all of one target.
        x: clean images, float (k, 3, h, w).
        y: their classes, (k,).
        margin: logits.
        generator: on the CPU.
    """
    which = torch.randint(len(triggers), (len(x),), generator=generator).to(x.device)
    x_t = torch.empty_like(x)
    for number in which.unique().tolist():
        x_t[which == number] = triggers[number](x[which == number])
    against = torch.full_like(which, triggers[0].target)
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


def without_target(logits: Tensor, labels: Tensor, target: int) -> Tensor:
    """The victim's logits with the backdoor's part taken out.

    On an image that is not of the target class, the target's logit is lowered to the next largest one if it exceeds it.

    Args:
        logits: (k, classes); not changed.
        labels: class shares of the images, (k, classes).
        target: the target class.
    """
    logits, others = logits.clone(), logits.clone()
    others[:, target] = -math.inf
    not_target = labels[:, target] == 0
    logits[not_target, target] = torch.minimum(logits[not_target, target], others[not_target].amax(1))
    return logits
