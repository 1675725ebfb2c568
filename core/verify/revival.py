"""How soon the attack comes back when a purified model is retuned on a handful of triggered images.

Source: the retuning attack of Min et al., NeurIPS 2024 (section 3.1). A model that only hides its backdoor relearns it
from a few poisoned images; one that lost it has to learn it like any other. "Like any other" is measured on the same
model: the same trigger is taught towards another class, and what counts is how far the old class is ahead.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from core.data.imageset import as_float
from core.defenses.rate import bearable
from core.models.classifier import Classifier


@dataclass(frozen=True)
class RevivalSettings:
    """Args:
    poisoned: triggered images, called by the target.
    clean: clean images beside them.
    epochs: passes over both.
    batch: images a step.
    lr: of SGD, at most.
    moved: divergence, nats, by which the first step may move the answers on clean images (``core.defenses.rate``).
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


def retuned(
    model: Classifier,
    images: Tensor,
    labels: Tensor,
    trigger: Callable[[Tensor], Tensor],
    target: int,
    settings: RevivalSettings = RevivalSettings(),
    seed: int = 0,
) -> Classifier:
    """A copy of the model, retuned on a few triggered images called ``target`` and some clean ones.

    Batch norm keeps its statistics: so few images would only add noise to them.

    Args:
        model: not changed.
        images: clean, uint8, (n, 3, h, w). labels: their classes, (n,).
        trigger: puts the trigger into float images.
        target: the class they are called by.
        settings: see ``RevivalSettings``.
        seed: of the choice and the order.
    """
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(images), generator=generator)
    away = order[labels[order].cpu() != target]
    bad, good = away[: settings.poisoned], order[~torch.isin(order, away[: settings.poisoned])][: settings.clean]
    device = model.mean.device
    x = as_float(torch.cat([images[bad], images[good]]).to(device))
    x[: len(bad)] = trigger(x[: len(bad)])
    y = torch.cat([torch.full((len(bad),), target), labels[good].cpu()]).to(device)
    copy = deepcopy(model).eval().requires_grad_(True)

    def loss(chosen: Tensor) -> Tensor:
        return F.cross_entropy(copy(x[chosen].contiguous(memory_format=torch.channels_last)), y[chosen])

    everything = torch.arange(len(x), device=device)
    lr = bearable(copy, lambda: loss(everything), x[len(bad) :], settings.lr, settings.moved) if len(good) else 0.0
    optimiser = torch.optim.SGD(copy.parameters(), lr, settings.momentum)
    for _ in range(settings.epochs):
        for chosen in torch.randperm(len(x), generator=generator).to(device).split(settings.batch):
            optimiser.zero_grad(set_to_none=True)
            loss(chosen).backward()
            torch.nn.utils.clip_grad_norm_(copy.parameters(), 1.0)
            optimiser.step()
    return copy
