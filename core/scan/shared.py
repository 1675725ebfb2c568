"""Triggers that work on two models at once: on a victim, and on what was made of it.

A trigger that works on a purified model alone is no rest of its backdoor: every network has some pattern for every
class. One that works on victim and purified model both, and is no larger than the victim's own, is. The idea of looking
for what two models are fooled by alike is that of Shared Adversarial Unlearning (Wei et al., NeurIPS 2023, section 4),
there for single images.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence

import torch
from torch import Tensor, nn

from core.models.classifier import Classifier
from core.scan.restarts import Effort, restarts
from core.triggers.reconstructed import Reconstructed


class Both(nn.Module):
    """Two classifiers as one that is only as sure of a class as the less sure of them.

    What is left of the probability counts as one more class, that they disagree: an image that only one of them takes
    for the class is not answered with it.
    """

    def __init__(self, first: Classifier, second: Classifier) -> None:
        super().__init__()
        self.first, self.second = first, second

    @property
    def mean(self) -> Tensor:
        return self.first.mean

    def forward(self, images: Tensor) -> Tensor:
        """Log-probabilities, (n, classes + 1), of images (n, 3, h, w) in [0, 1]; the last is that of disagreement."""
        both = torch.minimum(self.first(images).log_softmax(1), self.second(images).log_softmax(1))
        apart = (1 - both.exp().sum(1, keepdim=True)).clamp_min(1e-6).log()
        return torch.cat([both, apart], 1)


def shared(
    victim: Classifier, model: Classifier, images: Tensor, form: str, targets: Sequence[int], effort: Effort, seed: int
) -> Generator[tuple[int, int], None, list[Reconstructed]]:
    """One trigger for each of ``targets`` that works on both models; arguments and yields as ``restarts``."""
    return (yield from restarts(Both(victim, model), images, form, targets, effort, seed))  # type: ignore[arg-type]
