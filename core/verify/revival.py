"""Revival: how much of the attack returns when a purified model is retuned on a few triggered images.

Source: the retuning attack of Min et al., NeurIPS 2024 (section 3.1). A model that only hides its backdoor relearns it
from a few poisoned images. A model that lost it learns it no faster than any other backdoor. The control for that is
measured on the same model: the same trigger is taught towards another class.
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
from core.training.rate import trust_region_rate


@dataclass(frozen=True)
class RevivalSettings:
    """The retuning; NOTES.md beside this file has the models that rate and trust region were set on.

    Args:
        poisoned: triggered images that are labelled with the target.
        clean: clean images beside them.
        epochs: passes over both.
        batch: images per step.
        lr: of SGD, at most.
        moved: trust region, nats: the KL divergence by which the first step may change the answers on clean images
            (``core.training.rate``). At one rate for all, a wide network would learn any trigger from so few images.
        momentum: of SGD.
        max_gradient_norm: of a step.
    """

    poisoned: int = 5
    clean: int = 95
    epochs: int = 5
    batch: int = 20
    lr: float = 0.005
    moved: float = 0.014
    momentum: float = 0.9
    max_gradient_norm: float = 1.0


def retune_copies(
    model: Classifier,
    images: Tensor,
    labels: Tensor,
    trigger: Callable[[Tensor], Tensor],
    targets: Sequence[int],
    settings: RevivalSettings = RevivalSettings(),
    seed: int = 0,
) -> list[Classifier]:
    """Copies of the model, one for each of ``targets``, retuned on triggered images labelled with it and on clean
    images.

    All copies have the same learning rate, the lowest of those that their trust regions allow. Batch-norm statistics
    stay as they are, since so few images would only add noise.

    Args:
        model: not changed.
        images: clean, uint8, (n, 3, h, w).
        labels: their classes, (n,).
        trigger: adds the trigger to float images.
        targets: labels of the triggered images, one per copy.
        settings: see ``RevivalSettings``.
        seed: of the choice and the order of the images.
    """
    retunings = [_Retuning(model, images, labels, trigger, target, settings, seed) for target in targets]
    lr = min(retuning.allowed_rate() for retuning in retunings)
    return [retuning.run(lr) for retuning in retunings]


class _Retuning:
    """A copy of the model with its training images; arguments as for ``retune_copies``."""

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
        not_target = order[labels[order].cpu() != target]
        poisoned = not_target[: settings.poisoned]
        clean = order[~torch.isin(order, poisoned)][: settings.clean]
        device = model.mean.device
        self.clean = as_float(images[clean].to(device))
        self.x = torch.cat([trigger(as_float(images[poisoned].to(device))), self.clean])
        self.y = torch.cat([torch.full((len(poisoned),), target), labels[clean].cpu()]).to(device)
        self.model = deepcopy(model).eval().requires_grad_(True)

    def _loss(self, chosen: Tensor) -> Tensor:
        x = self.x[chosen].contiguous(memory_format=torch.channels_last)
        return F.cross_entropy(self.model(x), self.y[chosen])

    def allowed_rate(self) -> float:
        """The learning rate by the trust region; the setting if there are no clean images."""
        all_images = torch.arange(len(self.x), device=self.x.device)
        if not len(self.clean):
            return self.settings.lr
        return trust_region_rate(
            self.model, lambda: self._loss(all_images), self.clean, self.settings.lr, self.settings.moved
        )

    def run(self, lr: float) -> Classifier:
        """Retunes the copy and returns it."""
        optimiser = torch.optim.SGD(self.model.parameters(), lr, self.settings.momentum)
        for _ in range(self.settings.epochs):
            order = torch.randperm(len(self.x), generator=self.generator).to(self.x.device)
            for chosen in order.split(self.settings.batch):
                optimiser.zero_grad(set_to_none=True)
                self._loss(chosen).backward()
                torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.settings.max_gradient_norm)
                optimiser.step()
        return self.model
