"""How soon the attack comes back when a purified model is retuned on a handful of triggered images.

Source: the retuning attack of Min et al., NeurIPS 2024 (section 3.1). A model that only hides its backdoor relearns it
from a few poisoned images; one that lost it has to learn it like any other. "Like any other" is measured on the same
model: the same trigger is taught towards another class, and what counts is how far the old class is ahead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from core.data.imageset import as_float
from core.models.classifier import Classifier
from core.training.rate import bearable


@dataclass(frozen=True)
class RevivalSettings:
    """Args:
    poisoned: triggered images, called by the target.
    clean: clean images beside them.
    epochs: passes over both.
    batch: images a step.
    lr: of SGD, at most.
    moved: divergence, nats, by which the first step may move the answers on clean images (``core.training.rate``).
        At one rate for all, a wide network learns any trigger from so few images, and nothing is told apart.
    momentum: of SGD.
    """

    poisoned: int = 5
    clean: int = 95
    epochs: int = 5
    batch: int = 20
    lr: float = 0.005
    moved: float = 0.014
    momentum: float = 0.9


def taught(
    model: Classifier,
    images: Tensor,
    labels: Tensor,
    trigger: Callable[[Tensor], Tensor],
    targets: Sequence[int],
    settings: RevivalSettings = RevivalSettings(),
    seed: int = 0,
) -> list[Classifier]:
    """Copies of the model, each retuned on a few triggered images called by one of ``targets`` and some clean ones.

    All are taught at one rate, the lowest that any of them bears. Batch norm keeps its statistics: so few images would
    only add noise to them.

    Args:
        model: not changed.
        images: clean, uint8, (n, 3, h, w). labels: their classes, (n,).
        trigger: puts the trigger into float images.
        targets: the classes they are called by.
        settings: see ``RevivalSettings``.
        seed: of the choice and the order.
    """
    pupils = [_Pupil(model, images, labels, trigger, target, settings, seed) for target in targets]
    lr = min(pupil.bears() for pupil in pupils)
    return [pupil.retuned(lr) for pupil in pupils]


class _Pupil:
    """A copy of the model and what it is to be taught; arguments as ``taught``."""

    def __init__(
        self,
        model: Classifier,
        images: Tensor,
        labels: Tensor,
        trigger: Callable[[Tensor], Tensor],
        target: int,
        settings: RevivalSettings,
        seed: int,
    ) -> None:
        self.settings, self.generator = settings, torch.Generator().manual_seed(seed)
        order = torch.randperm(len(images), generator=self.generator)
        away = order[labels[order].cpu() != target]
        bad = away[: settings.poisoned]
        good = order[~torch.isin(order, bad)][: settings.clean]
        device = model.mean.device
        self.clean = as_float(images[good].to(device))
        self.x = torch.cat([trigger(as_float(images[bad].to(device))), self.clean])
        self.y = torch.cat([torch.full((len(bad),), target), labels[good].cpu()]).to(device)
        self.model = deepcopy(model).eval().requires_grad_(True)

    def _loss(self, chosen: Tensor) -> Tensor:
        x = self.x[chosen].contiguous(memory_format=torch.channels_last)
        return F.cross_entropy(self.model(x), self.y[chosen])

    def bears(self) -> float:
        """The learning rate that this bears; the highest where there are no clean images to tell by."""
        everything = torch.arange(len(self.x), device=self.x.device)
        if not len(self.clean):
            return self.settings.lr
        return bearable(self.model, lambda: self._loss(everything), self.clean, self.settings.lr, self.settings.moved)

    def retuned(self, lr: float) -> Classifier:
        optimiser = torch.optim.SGD(self.model.parameters(), lr, self.settings.momentum)
        for _ in range(self.settings.epochs):
            order = torch.randperm(len(self.x), generator=self.generator).to(self.x.device)
            for chosen in order.split(self.settings.batch):
                optimiser.zero_grad(set_to_none=True)
                self._loss(chosen).backward()
                torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
                optimiser.step()
        return self.model
