"""What a network falls back on once it has unlearnt clean images: a clue to the target that needs no trigger.

Source: Reconstructive Neuron Pruning (Li et al., ICML 2023, arXiv 2305.14876), whose first step makes a copy of the
network maximise its loss on a few clean images. The rule that clean images taught is gone after 8 to 50 steps; the
backdoor, of which none of them speaks, mostly stays. The copy then tends to give the target for images without any
trigger, so the class that most of its wrong answers name is often where a backdoor leads, also one whose trigger is too
large for an inversion that looks for small ones.

An honest network falls back on some class, too, less clearly, and some attacks leave no such trace (figures are in
NOTES.md beside this file). So this names a class to be wary of where the inversion sees no sign; it is none by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from core.errors import BadInput
from core.models.classifier import Classifier
from core.models.evaluate import answers
from core.scan.thresholds import FALLEN_BACK_SHARE, LEAST_CLASSES, LEAST_IMAGES
from core.training.loop import PurifyStep, Training

ROUNDS = 3  # copies, each with an order of images of its own
MOST = 60  # steps of a copy; one that still answers half of the images rightly says nothing
HALF = 0.5  # of the images that the network answered rightly before: so far a copy goes
WATCHED = 256  # clean images that its answers are counted on
STEEPEST = 5.0  # norm of a step's gradient: the loss has no bound upwards


@dataclass(frozen=True)
class UnlearningSettings:
    """Steps of SGD that maximise the cross-entropy; rate, momentum and batch are those of RNP's code."""

    clean: float = 1.0
    lr: float = 0.01
    epochs: int = 1
    batch: int = 128
    momentum: float = 0.9
    weight_decay: float = 0.0


class Unlearning(Training):
    """A copy of the network that unlearns clean images; arguments as of ``Training``."""

    settings: UnlearningSettings

    @property
    def total(self) -> int:
        return MOST

    def learning_rate(self, step: int) -> float:
        return self.settings.lr

    def losses(self, chosen: Tensor) -> dict[str, Tensor]:
        batch = self.x[chosen].contiguous(memory_format=torch.channels_last)
        return {"clean": -F.cross_entropy(self.model(batch), self.y[chosen])}

    def _descend(self, lr: float) -> None:
        torch.nn.utils.clip_grad_norm_(self.model.net.parameters(), STEEPEST)
        super()._descend(lr)


def fallen_back(
    model: Classifier, images: Tensor, labels: Tensor, seed: int = 0
) -> Iterator[tuple[int, int, Tensor | None]]:
    """Lets ``ROUNDS`` copies unlearn, each until it has lost half of its accuracy.

    Args:
        model: the suspect; not changed.
        images: clean images, uint8, shape (n, 3, h, w).
        labels: their classes, int64, (n,).
        seed: of the order of the images; the same on a CPU gives the same shares.

    Yields:
        steps done, steps in all at most, and with the last one (None before) the share of the wrong answers that name
        each class, 0-1, (classes,), averaged over the copies; a copy that unlearnt too little, or whose loss grew
        beyond all numbers, counts as zeros.
    """
    watched = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))[:WATCHED]
    x, y = images[watched], labels[watched].to(model.mean.device)
    enough = HALF * float((answers(model, x) == y).float().mean())
    shares = torch.zeros(model.num_classes, device=model.mean.device)
    for number in range(ROUNDS):
        copy = Unlearning(model, images, labels, UnlearningSettings(), seed + number)
        for step in _until_it_diverges(copy):
            yield MOST * number + step.step, MOST * ROUNDS, None
            found = answers(copy.model, x)
            if float((found == y).float().mean()) <= enough:
                wrong = found[found != y].bincount(minlength=model.num_classes)
                shares += wrong / wrong.sum().clamp(min=1) / ROUNDS
                break
        del copy  # a GPU should not have to hold two
    yield MOST * ROUNDS, MOST * ROUNDS, shares.cpu()


def _until_it_diverges(copy: Unlearning) -> Iterator[PurifyStep]:
    """The steps of a copy; a loss that is made as large as can be may grow beyond all numbers, and that is no fault."""
    try:
        yield from copy.steps()
    except BadInput as error:
        if error.code != "training_diverged":
            raise


def asked(model: Classifier, images: Tensor) -> bool:
    """Whether there are classes and images enough for the answer to mean something."""
    return model.num_classes >= LEAST_CLASSES and len(images) >= LEAST_IMAGES


def clear(shares: Tensor) -> int | None:
    """The class that ``fallen_back`` names, if it does so clearly."""
    top = int(shares.argmax())
    return top if float(shares[top]) >= FALLEN_BACK_SHARE else None
