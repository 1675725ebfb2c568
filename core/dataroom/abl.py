"""ABL, anti-backdoor learning: a network trained on poisoned images that comes out clean.

Li, Lyu, Koren, Lyu, Li and Ma, "Anti-Backdoor Learning: Training Clean Models on Poisoned Data", NeurIPS 2021, section
3. Poison is learnt first. In the first stage the loss is trapped near gamma by local gradient ascent,
sign(l - gamma) l for each image, so that only images that are learnt with ease, the poisoned, fall far below; the
``isolated`` share with the lowest loss is set apart. The network is then trained on the others as usual, and in the end
the set-apart images are unlearnt by gradient ascent on their loss.

Deviations: every stage has the project's one-cycle rate and not a staircase. The share of epochs in each stage is the
paper's (20 of 100 before the isolation, 60 on the others, 20 unlearning), and the epochs are fewer. The unlearning
goes on beside the training: each step ascends on isolated images and descends on others, with batch norm standing
still, as otherwise benign accuracy breaks in a small network. The ascent stops at ``enough`` of an image's loss, from
which on it says nothing more. The images that a filter of the data room has flagged may take the place of the first
stage (NOTES.md says why).
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from core.attacks.training import Epoch, TrainSettings, train
from core.data.imageset import as_float
from core.models.classifier import Classifier
from core.models.evaluate import features_and_logits


@dataclass(frozen=True)
class ABLSettings:
    """Of the three stages.

    Args:
        gamma: loss at which the first stage holds the images that are hard to learn, nats.
        isolated: share of the images set apart, 0-1 (1 % in the paper).
        first, last: shares of the epochs before the isolation and in the unlearning.
        rate: of the unlearning; the paper's 0.0005.
        enough: loss, nats, up to which an isolated image is unlearnt.
    """

    gamma: float = 0.5
    isolated: float = 0.01
    first: float = 0.2
    last: float = 0.2
    rate: float = 5e-4
    enough: float = 5.0


def ascent(gamma: float) -> torch.nn.Module:
    """Local gradient ascent: the mean over the batch of sign(l - gamma) l."""
    return _Local(gamma)


class _Local(torch.nn.Module):
    def __init__(self, gamma: float) -> None:
        super().__init__()
        self.gamma = gamma

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        losses = F.cross_entropy(logits, labels, reduction="none")
        return (torch.sign(losses.detach() - self.gamma) * losses).mean()


def isolate(model: Classifier, images: Tensor, labels: Tensor, share: float) -> Tensor:
    """Positions of the images with the lowest loss, int64, ascending; one at least."""
    logits = features_and_logits(model, images)[1]
    losses = F.cross_entropy(logits, labels.to(logits.device), reduction="none")
    return losses.argsort(stable=True)[: max(1, round(share * len(images)))].sort().values.cpu()


def abl(
    model: Classifier,
    images: Tensor,
    labels: Tensor,
    training: TrainSettings,
    settings: ABLSettings,
    seed: int,
    apart: Tensor | None = None,
) -> Generator[Epoch, None, Tensor]:
    """Trains an untrained ``model`` in place.

    Args:
        images: the poisoned set, uint8 (n, 3, h, w), on the model's device. labels: int64 (n,).
        training: of an ordinary training of as many epochs in all.
        apart: positions that a filter has set apart, int64; there is no first stage then.

    Yields:
        the progress.

    Returns:
        the positions set apart, int64.
    """
    first, last = (max(1, round(share * training.epochs)) for share in (settings.first, settings.last))
    total = training.epochs + last
    per_epoch = max(1, len(images) // training.batch)
    if apart is None:
        stage = replace(training, epochs=first, label_smoothing=0.0)
        local = ascent(settings.gamma)
        for epoch in train(model, images, labels, stage, seed, lambda net, x, y: local(net(x), y)):  # type: ignore[no-any-return]
            yield replace(epoch, total=total * per_epoch)
        apart = isolate(model, images, labels, settings.isolated)
    else:
        first = 0
    kept = torch.ones(len(images), dtype=torch.bool)
    kept[apart] = False
    others = torch.nonzero(kept).flatten()
    rest = replace(training, epochs=training.epochs - first)
    for epoch in train(model, images[others], labels[others], rest, seed + 1):
        yield replace(epoch, step=first * per_epoch + epoch.step, total=total * per_epoch)
    steps = last * per_epoch
    for step in _unlearnt(model, images, labels, apart, others, steps, training.batch, settings, seed + 2):
        if step % 20 == 0 or step == steps:
            yield Epoch(training.epochs, training.epochs * per_epoch + step, total * per_epoch, 0.0)
    return apart


def _unlearnt(
    model: Classifier, images: Tensor, labels: Tensor, apart: Tensor, others: Tensor, steps: int, batch: int,
    settings: ABLSettings, seed: int,
) -> Iterator[int]:  # fmt: skip
    """Gradient ascent on the isolated images, beside descent on others; batch norm stands still."""
    generator = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.SGD(model.parameters(), lr=settings.rate, momentum=0.9)
    model.eval()
    for step in range(1, steps + 1):
        isolated = apart[torch.randint(len(apart), (min(batch, len(apart)),), generator=generator)]
        others_drawn = others[torch.randint(len(others), (batch,), generator=generator)]
        chosen = torch.cat([isolated, others_drawn])
        losses = F.cross_entropy(model(as_float(images[chosen])), labels[chosen], reduction="none")
        loss = losses[len(isolated) :].mean() - losses[: len(isolated)].clamp(max=settings.enough).mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 2.0)
        optimiser.step()
        yield step
