"""The held-out part of the clean budget: estimates BA and ASR during training, and selects the weights to return."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from core.data.imageset import as_float
from core.metrics import attack_success_rate, benign_accuracy
from core.models.classifier import Classifier
from core.models.evaluate import answers
from core.training.loop import Check, TargetedTrigger

ASR_PENALTY = 2.0  # points of score lost per point of ASR above ``gone``


class HeldOut:
    """Clean images that the training does not use.

    Args:
        images, labels: uint8 (n, 3, h, w) and int64 (n,). With n = 0 there is nothing to check on.
        gone: estimated ASR, percent, at and below which the attack counts as gone.

    Attributes:
        best_score: the highest score so far, percent; minus infinity before the first.
        standard_error: of the victim's BA on these images, percentage points.
    """

    def __init__(self, images: Tensor, labels: Tensor, gone: float) -> None:
        self.images, self.labels, self.gone = images, labels, gone
        self.best_score, self.standard_error = -math.inf, 0.0

    def __len__(self) -> int:
        return len(self.images)

    def check(self, model: Classifier, triggers: Sequence[TargetedTrigger]) -> Check:
        """BA and estimated ASR of the model, percent; of several targets, the ASR of the one with the highest."""
        of_target = [[one for one in triggers if one.target == target] for target in {one.target for one in triggers}]
        asr = max(self._attack_success(model, own) for own in of_target)
        return Check(benign_accuracy(answers(model, self.images), self.labels), asr)

    def _attack_success(self, model: Classifier, triggers: Sequence[TargetedTrigger]) -> float:
        """ASR, percent, of triggers of one target. Each image carries one of them, in turn."""

        def in_turn(images: Tensor) -> Tensor:
            return torch.cat([trigger(images[k :: len(triggers)]) for k, trigger in enumerate(triggers)])

        labels = torch.cat([self.labels[k :: len(triggers)] for k in range(len(triggers))])
        attacked = answers(model, in_turn(as_float(self.images)))
        return attack_success_rate(attacked, labels, triggers[0].target)

    def measure_error(self, victim: Classifier) -> None:
        """Sets the standard error of the victim's BA on these images."""
        share = benign_accuracy(answers(victim, self.images), self.labels) / 100
        self.standard_error = 100 * math.sqrt(max(share * (1 - share), 0.01) / len(self.images))

    def prefers(self, check: Check) -> bool:
        """Whether the weights of this check replace the ones selected so far.

        The score is BA less a penalty for ASR above ``gone``. Later weights are preferred, since more of the annealing
        is done. The held-out part is small, so a score lower by up to one standard error counts as chance.
        """
        score = check.ba - ASR_PENALTY * max(0.0, check.asr - self.gone)
        if score < self.best_score - self.standard_error:
            return False
        self.best_score = max(score, self.best_score)
        return True
