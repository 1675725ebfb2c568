"""Shared triggers: triggers that work on two models at once, the victim and the model purified from it.

A trigger that works on the purified model alone is no sign of the old backdoor, since every network has some pattern
for every class. A trigger that works on both models, and is no larger than the victim's own, is such a sign. Shared
Adversarial Unlearning (Wei et al., NeurIPS 2023, section 4) looks for adversarial examples of both models in this way,
for single images.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence

import torch
from torch import Tensor, nn

from core.models.classifier import Classifier
from core.scan.restarts import Effort, restarts
from core.triggers.reconstructed import Reconstructed


class LessConfident(nn.Module):
    """Two classifiers as one: the probability of a class is the smaller of their two probabilities.

    The rest of the probability goes to one further class, "disagreement". So an image that only one of the models
    answers with a class is not answered with that class.
    """

    def __init__(self, first: Classifier, second: Classifier) -> None:
        super().__init__()
        self.first, self.second = first, second

    @property
    def mean(self) -> Tensor:
        return self.first.mean

    def forward(self, images: Tensor) -> Tensor:
        """Log-probabilities, (n, classes + 1), of images (n, 3, h, w) in [0, 1]; the last class is disagreement."""
        both = torch.minimum(self.first(images).log_softmax(1), self.second(images).log_softmax(1))
        disagreement = (1 - both.exp().sum(1, keepdim=True)).clamp_min(1e-6).log()
        return torch.cat([both, disagreement], 1)


def shared(
    victim: Classifier, model: Classifier, images: Tensor, form: str, targets: Sequence[int], effort: Effort, seed: int
) -> Generator[tuple[int, int], None, list[Reconstructed]]:
    """One trigger for each of ``targets`` that works on both models; arguments and yields as for ``restarts``."""
    return (yield from restarts(LessConfident(victim, model), images, form, targets, effort, seed))  # type: ignore[arg-type]
