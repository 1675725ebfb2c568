"""The held-out part of the clean budget: it sees the attack go, and chooses the state that is kept."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from core.data.imageset import as_float
from core.metrics import attack_success_rate, benign_accuracy
from core.models.classifier import Classifier
from core.models.evaluate import answers
from core.training.loop import Aimed, Check


class HeldOut:
    """Images that the training does not see.

    Args:
        images, labels: (n, 3, h, w) and (n,); may be none, and then nothing is ever looked at.
        gone: estimated ASR, percent, at and below which the attack counts as gone.
    """

    def __init__(self, images: Tensor, labels: Tensor, gone: float) -> None:
        self.images, self.labels, self.gone = images, labels, gone
        self.best, self.error = -math.inf, 0.0

    def __len__(self) -> int:
        return len(self.images)

    def check(self, model: Classifier, triggers: Sequence[Aimed]) -> Check:
        """BA, and the ASR of the triggers, of which each image carries one, in turn; percent."""

        def turned(images: Tensor) -> Tensor:
            return torch.cat([trigger(images[one :: len(triggers)]) for one, trigger in enumerate(triggers)])

        labels = torch.cat([self.labels[one :: len(triggers)] for one in range(len(triggers))])
        attacked = answers(model, turned(as_float(self.images)))
        asr = attack_success_rate(attacked, labels, triggers[0].target)
        return Check(benign_accuracy(answers(model, self.images), self.labels), asr)

    def measure(self, victim: Classifier) -> None:
        """Notes the standard error of the victim's BA here, percentage points."""
        share = benign_accuracy(answers(victim, self.images), self.labels) / 100
        self.error = 100 * math.sqrt(max(share * (1 - share), 0.01) / len(self.images))

    def better(self, check: Check) -> bool:
        """Whether a later state is to be kept instead of the best so far.

        The part is small, so a later state gives way to an earlier one only if it is worse by more than chance
        explains: one standard error of the victim's BA.
        """
        score = check.ba - 2 * max(0.0, check.asr - self.gone)
        if score < self.best - self.error:
            return False
        self.best = max(score, self.best)
        return True
