"""The victim as further training would have it, on clean images alone.

A backdoor can sleep in the model that comes in, and wake when that is trained further (Shin and Park, "Unlearn to
Relearn Backdoors", 2024, OpenReview S5JCqTJyKj). A purification is such a training. So what a purified model shows and
its victim does not may have been there before all the same: it was if the victim shows it after a training that had
nothing to purify. An honest victim does not learn a backdoor from clean images.

The control is what other classes need on that same copy. A purification can make every class but one harder to reach,
and that one then has the smallest trigger of the purified model; on the copy, nothing was made harder.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Generator

import torch
import torch.nn.functional as F
from torch import Tensor

from core.models.classifier import Classifier
from core.scan import FORMS
from core.scan.restarts import restarts
from core.scan.shared import honest_classes
from core.training.loop import Tuning, TuningSettings
from core.verify import probes

CONTROL_CLASSES = 8  # other classes that are compared with, at most
STEPS = 60  # at the rate below they woke both networks of two concealments of the digits (core/attacks/NOTES.md)
SETTINGS = TuningSettings(lr=0.01, epochs=0, least=STEPS)


class _FurtherTraining(Tuning):
    """Cross-entropy on clean images; batch norm takes the statistics of its batches, as in any training."""

    def losses(self, chosen: Tensor) -> dict[str, Tensor]:
        x = self.shifted_batch(chosen).contiguous(memory_format=torch.channels_last)
        return {"clean": F.cross_entropy(self.model(x), self.y[chosen])}


def trained_further(
    victim: Classifier, images: Tensor, labels: Tensor, seed: int = 0
) -> Generator[tuple[int, int], None, Classifier]:
    """A copy of the victim after further training.

    Args:
        victim: not changed.
        images: clean, uint8, (n, 3, h, w).
        labels: their classes, int64, (n,).
        seed: of the order and the shifts of the images; the same seed on a CPU gives the same copy.

    Yields:
        steps done and in all.
    """
    training = _FurtherTraining(victim, images, labels, SETTINGS, seed)
    for step in training.steps():
        yield step.step, step.total
    return training.model


def control_size(
    further: Classifier, images: Tensor, form: str, suspects: Collection[int], seed: int
) -> Generator[tuple[int, int], None, float]:
    """The smallest trigger of other classes on the victim after further training, pixels.

    Infinite if none works, or if there is no other class.

    Args:
        further: of ``trained_further``; not changed.
        images: clean, uint8, (n, 3, h, w).
        form: of the triggers compared with; one of ``core.scan.FORMS``.
        suspects: classes that are not compared with.
        seed: the same on a CPU gives the same size.

    Yields:
        steps done and in all.
    """
    labels = honest_classes(further.num_classes, suspects, CONTROL_CLASSES)
    if form not in FORMS or not labels:
        return math.inf
    made = yield from restarts(further, images, form, labels, probes.EFFORT, seed)
    return min((one.size for one in made), default=math.inf)
