"""The fallback class: the class that a network answers after it has unlearnt clean images. It needs no trigger.

Source: Reconstructive Neuron Pruning (Li et al., ICML 2023, arXiv 2305.14876). Its first step maximises the loss of a
copy of the network on a few clean images. After 8 to 50 steps the copy has lost its accuracy on clean images. The
backdoor mostly remains, since no clean image contradicts it. The copy then tends to answer the target for images
without a trigger. So the most frequent wrong answer is often the target, even if its trigger is too large for an
inversion.

An honest network has a fallback class too, less clearly, and some attacks leave no such trace (figures in NOTES.md
beside this file). So the fallback class is a suspect if the inversion shows no sign. It is not a sign of a backdoor.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from core.errors import BadInput
from core.models.classifier import Classifier
from core.models.evaluate import answers
from core.scan.thresholds import FALLBACK_SHARE, MIN_CLASSES, MIN_UNLEARNING_IMAGES
from core.training.loop import PurifyStep, Training

COPIES = 3  # each with its own order of images
MAX_STEPS = 60  # of a copy; a copy that has not unlearnt by then does not count
REMAINING_ACCURACY = 0.5  # a copy is done when its accuracy falls to this share of the network's
COUNTED_IMAGES = 256  # clean images on which accuracy and wrong answers are counted
MAX_GRADIENT_NORM = 5.0  # the loss that is maximised has no upper bound


@dataclass(frozen=True)
class CleanUnlearningSettings:
    """SGD that maximises the cross-entropy; learning rate, momentum and batch are those of RNP's code."""

    clean: float = 1.0
    lr: float = 0.01
    epochs: int = 1
    batch: int = 128
    momentum: float = 0.9
    weight_decay: float = 0.0


class CleanUnlearning(Training):
    """A copy of the network that unlearns clean images; arguments as for ``Training``."""

    settings: CleanUnlearningSettings

    @property
    def total(self) -> int:
        return MAX_STEPS

    def learning_rate(self, step: int) -> float:
        return self.settings.lr

    def losses(self, chosen: Tensor) -> dict[str, Tensor]:
        batch = self.x[chosen].contiguous(memory_format=torch.channels_last)
        return {"clean": -F.cross_entropy(self.model(batch), self.y[chosen])}

    def _descend(self, lr: float) -> None:
        torch.nn.utils.clip_grad_norm_(self.model.net.parameters(), MAX_GRADIENT_NORM)
        super()._descend(lr)


def fallback_shares(
    model: Classifier, images: Tensor, labels: Tensor, seed: int = 0
) -> Generator[tuple[int, int], None, Tensor]:
    """The share of each class in the wrong answers of copies that have unlearnt half of their accuracy.

    Args:
        model: the suspect; not changed.
        images: clean images, uint8, shape (n, 3, h, w).
        labels: their classes, int64, (n,).
        seed: of the order of the images; the same on a CPU gives the same shares.

    Yields:
        steps done, and steps in all at most.

    Returns:
        the shares, 0-1, (classes,), the mean over the copies. A copy that unlearnt too little, or whose loss became
        infinite, counts as zeros.
    """
    counted = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))[:COUNTED_IMAGES]
    x, y = images[counted], labels[counted].to(model.mean.device)
    unlearnt = REMAINING_ACCURACY * float((answers(model, x) == y).float().mean())
    shares = torch.zeros(model.num_classes, device=model.mean.device)
    for number in range(COPIES):
        copy = CleanUnlearning(model, images, labels, CleanUnlearningSettings(), seed + number)
        for step in _until_it_diverges(copy):
            yield MAX_STEPS * number + step.step, MAX_STEPS * COPIES
            predicted = answers(copy.model, x)
            if float((predicted == y).float().mean()) <= unlearnt:
                wrong = predicted[predicted != y].bincount(minlength=model.num_classes)
                shares += wrong / wrong.sum().clamp(min=1) / COPIES
                break
        del copy  # before the next is made: a GPU need not hold two
    yield MAX_STEPS * COPIES, MAX_STEPS * COPIES
    return shares.cpu()


def _until_it_diverges(copy: CleanUnlearning) -> Iterator[PurifyStep]:
    """The steps of a copy. A loss that is maximised may become infinite, which ends the copy without an error."""
    try:
        yield from copy.steps()
    except BadInput as error:
        if error.code != "training_diverged":
            raise


def can_unlearn(model: Classifier, images: Tensor) -> bool:
    """Whether there are enough classes and images for a meaningful result."""
    return model.num_classes >= MIN_CLASSES and len(images) >= MIN_UNLEARNING_IMAGES


def dominant_class(shares: Tensor) -> int | None:
    """The class with the largest share, if that reaches the threshold."""
    top = int(shares.argmax())
    return top if float(shares[top]) >= FALLBACK_SHARE else None
