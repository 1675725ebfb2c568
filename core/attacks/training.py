"""Training of a victim: ordinary training on a poisoned set."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from core.data.imageset import as_float
from core.models.classifier import Classifier


@dataclass(frozen=True)
class TrainSettings:
    """SGD with Nesterov momentum under a one-cycle learning rate.

    Args:
        epochs: passes over the poisoned set.
        batch: images a step.
        lr: highest learning rate.
        weight_decay: on weights, not on biases and batch norms.
        shift: largest random shift, pixels (reflected at the border).
        flip: whether images are mirrored left to right at random (never for signs or digits).
        label_smoothing: 0-1.
        clip: longest gradient a step is taken along, as a Euclidean norm over all parameters; 0: any. Most are near 1.
            PreActResNet-18, which has no batch norm before its last layer, was seen to go from a loss of 1.7 to 8 near
            the highest learning rate, on clean images; which trainings that affects is random.
    """

    epochs: int = 12
    batch: int = 128
    lr: float = 0.1
    weight_decay: float = 5e-4
    shift: int = 2
    flip: bool = False
    label_smoothing: float = 0.0
    clip: float = 2.0


Loss = Callable[[Classifier, Tensor, Tensor], Tensor]
"""Of the model, a batch of images, float (n, 3, h, w), and their labels, int64 (n,); gives a scalar."""


@dataclass(frozen=True)
class Epoch:
    """One epoch done: mean loss and how many of how many steps."""

    epoch: int
    step: int
    total: int
    loss: float


def shifted(images: Tensor, most: int, flip: bool, generator: torch.Generator) -> Tensor:
    """Random shifts (each image its own, up to ``most`` pixels) and mirrorings of a batch, as one gather."""
    n, _channels, h, w = images.shape
    if most:
        padded = F.pad(images, (most,) * 4, mode="reflect")
        dy, dx = torch.randint(0, 2 * most + 1, (2, n), generator=generator).to(images.device)
        rows = dy[:, None] + torch.arange(h, device=images.device)
        columns = dx[:, None] + torch.arange(w, device=images.device)
        batch = torch.arange(n, device=images.device)[:, None, None]
        images = padded.permute(0, 2, 3, 1)[batch, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
    if flip:
        mirror = (torch.rand(n, generator=generator) < 0.5).to(images.device)
        images = torch.where(mirror.view(-1, 1, 1, 1), images.flip(3), images)
    return images


def train(
    model: Classifier,
    images: Tensor,
    labels: Tensor,
    settings: TrainSettings,
    seed: int,
    loss_of: Loss | None = None,
) -> Iterator[Epoch]:
    """Trains ``model`` in place; yields every 20 steps and at the end of each epoch.

    Args:
        images: uint8, shape (n, 3, h, w), on the model's device.
        labels: int64, shape (n,), on the model's device.
        seed: of the order and the augmentation; a CPU run repeats exactly, a GPU run within rounding.
        loss_of: in place of the cross-entropy.
    """
    generator = torch.Generator().manual_seed(seed)
    model.train()
    decay = [p for p in model.parameters() if p.ndim > 1]
    plain = [p for p in model.parameters() if p.ndim <= 1]
    groups: list[dict[str, Any]] = [{"params": decay, "weight_decay": settings.weight_decay}, {"params": plain}]
    optimiser = torch.optim.SGD(groups, lr=settings.lr, momentum=0.9, nesterov=True)
    per_epoch = max(1, len(images) // settings.batch)
    total = settings.epochs * per_epoch
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, settings.lr, total_steps=total, pct_start=0.25)
    step = 0
    for epoch in range(settings.epochs):
        order = torch.randperm(len(images), generator=generator).to(images.device)
        losses = []
        for i in range(per_epoch):
            chosen = order[i * settings.batch : (i + 1) * settings.batch]
            batch = shifted(as_float(images[chosen]), settings.shift, settings.flip, generator)
            if loss_of is None:
                loss = F.cross_entropy(model(batch), labels[chosen], label_smoothing=settings.label_smoothing)
            else:
                loss = loss_of(model, batch, labels[chosen])
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            if settings.clip:
                torch.nn.utils.clip_grad_norm_(model.parameters(), settings.clip)
            optimiser.step()
            schedule.step()
            losses.append(loss.detach())
            step += 1
            if step % 20 == 0 or i == per_epoch - 1:
                yield Epoch(epoch, step, total, float(torch.stack(losses).mean()))
    model.eval()
