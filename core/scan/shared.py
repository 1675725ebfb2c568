"""Shared triggers: triggers that work on two models at once, the victim and the model purified from it.

A trigger that works on the purified model alone is no sign of the old backdoor, since every network has some pattern
for every class. A trigger that works on both models, and is smaller than what other classes need for that, is such a
sign. Shared Adversarial Unlearning (Wei et al., NeurIPS 2023, section 4) looks for adversarial examples of both models
in this way, for single images.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Generator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from core.models.classifier import Classifier
from core.scan.restarts import Effort, restarts
from core.triggers.reconstructed import Reconstructed

OTHERS = 3  # other classes that the size is compared with


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


def honest_classes(classes: int, suspects: Collection[int], count: int, last: bool = False) -> list[int]:
    """The first ``count`` of so many classes that are no suspects, or the last; fewer where there are not so many."""
    found = [label for label in range(classes) if label not in suspects]
    return found[-count:] if last else found[:count]


@dataclass(frozen=True)
class Beside:
    """Shared triggers of suspected classes beside those of honest ones, made in one go.

    Attributes:
        own: those of the suspected classes.
        others: those of the other classes.
    """

    own: list[Reconstructed]
    others: list[Reconstructed]

    def smaller(self, ratio: float) -> list[Reconstructed]:
        """Those of the suspected classes that are at most ``ratio`` times as large as any other."""
        limit = ratio * min((one.size for one in self.others), default=math.inf)
        return [one for one in self.own if one.size <= limit]


def shared_beside_others(
    victim: Classifier,
    model: Classifier,
    images: Tensor,
    form: str,
    targets: Sequence[int],
    suspects: Collection[int],
    effort: Effort,
    seed: int,
) -> Generator[tuple[int, int], None, Beside]:
    """Shared triggers of ``targets``, and one of each of ``OTHERS`` classes that are no suspects.

    Args:
        targets: a class that occurs k times gets k triggers.
        suspects: classes that may have a backdoor, those of ``targets`` among them.
        others: as for ``restarts``.
    """
    others = honest_classes(victim.num_classes, suspects, OTHERS)
    made = yield from shared(victim, model, images, form, [*targets, *others], effort, seed)
    own, rest = ([one for one in made if (one.target in suspects) is wanted] for wanted in (True, False))
    return Beside(own, rest)
