"""ASD, the adaptively split data set: a network that learns labels only of images that agree with a few trusted ones.

Gao, Bai, Gu, Yang and Xia, "Backdoor Defense via Adaptively Splitting Poisoned Dataset", CVPR 2023, section 4, and the
authors' code where the paper leaves a figure open. A *clean pool* keeps its labels, a *polluted pool* loses them, and
the network is trained on both by MixMatch (Berthelot et al., NeurIPS 2019). The pools are drawn anew in every round, by
the losses under the network as it stands, in two stages:

1. *class-aware*: the trusted images, and of each class those with the lowest loss, a few more from time to time;
2. *class-agnostic*: the half of the set with the lowest loss.

The network was taught what the trusted images say, so that a triggered image gets its true class, and the label it
carries has a high loss. No filter has a say. The loss of the splits is the symmetric cross-entropy (Wang et al., ICCV
2019), 0.1 CE + RCE with log 0 = -9.2.

Deviations. The paper has 120 rounds of 1,024 steps, and this 24 of 30: enough for digits, and too little for road signs
(NOTES.md). So the clean pool of the first stage grows by a share of each class, and not by ten images every five
rounds, and the learning rate falls to nothing by a cosine. The paper's third stage, the meta-split, is left out: a
copy learns the whole set for one epoch there, and the half whose loss that lowers least is kept. After so short a
training it brought poison back. The trusted images lie beside the set, stay in the clean pool, and may be more than the
paper's ten of each class. The mixed batch passes in one; the authors' goes in interleaved thirds, for batch norm.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from core.attacks.training import Epoch, shifted
from core.data.imageset import as_float
from core.models.classifier import Classifier
from core.models.evaluate import features_and_logits

LOG_0 = math.log(1e-4)  # of the reverse cross-entropy, in the authors' code
CE_SHARE = 0.1  # of the cross-entropy in the symmetric one


@dataclass(frozen=True)
class ASDSettings:
    """Of the splits and of MixMatch; the paper's, where nothing else is said.

    Args:
        rounds: splits in all (120 there). steps: of MixMatch in a round (1,024 there).
        first: share of the rounds in the first stage.
        grown: share of each class in the clean pool at the end of the first stage (2.2 % of CIFAR-10's there).
        kept: share of the set in the clean pool afterwards.
        batch: images with labels in a step; of those without there are as many, each twice.
        rate: of Adam.
        temperature: of the guessed labels. alpha: of the Beta distribution that images are mixed by.
        unlabelled: weight of the loss without labels, reached at the end.
        shift: largest random shift, pixels.
    """

    rounds: int = 24
    steps: int = 30
    first: float = 0.5
    grown: float = 0.2
    kept: float = 0.5
    batch: int = 64
    rate: float = 0.002
    temperature: float = 0.5
    alpha: float = 0.75
    unlabelled: float = 15.0
    shift: int = 1


def symmetric_losses(model: Classifier, images: Tensor, labels: Tensor) -> Tensor:
    """Symmetric cross-entropy of each image, nats, float (n,), in evaluation mode."""
    logits = features_and_logits(model, images)[1]
    labels = labels.to(logits.device)
    own = logits.softmax(1).gather(1, labels[:, None])[:, 0]
    return CE_SHARE * F.cross_entropy(logits, labels, reduction="none") - LOG_0 * (1 - own)


def class_aware(losses: Tensor, labels: Tensor, share: float) -> Tensor:
    """Positions of the ``share`` of each class with the lowest loss, int64, ascending."""
    found = []
    for one in labels.unique():
        members = torch.nonzero(labels == one).flatten()
        found.append(members[losses[members].argsort(stable=True)[: round(share * len(members))]])
    return torch.cat(found).sort().values


def lowest(values: Tensor, share: float) -> Tensor:
    """Positions of the ``share`` with the lowest values, int64, ascending."""
    return values.argsort(stable=True)[: round(share * len(values))].sort().values


def asd(
    model: Classifier,
    images: Tensor,
    labels: Tensor,
    trusted: tuple[Tensor, Tensor],
    settings: ASDSettings,
    seed: int,
) -> Generator[Epoch, None, Tensor]:
    """Trains an untrained ``model`` in place.

    Args:
        images: the poisoned set, uint8 (n, 3, h, w), on the model's device. labels: int64 (n,).
        trusted: clean images apart from the set, and their labels; some of each class.

    Yields:
        the progress.

    Returns:
        the positions in the clean pool of the last round, int64.
    """
    generator = torch.Generator().manual_seed(seed)
    drawn = np.random.default_rng(seed)
    optimiser = torch.optim.Adam(model.parameters(), lr=settings.rate)
    total = settings.rounds * settings.steps
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, total)
    pool = torch.zeros(0, dtype=torch.int64)
    done = 0
    for number in range(settings.rounds):
        pool = _clean_pool(model, images, labels, number / settings.rounds, settings)
        polluted = torch.ones(len(images), dtype=torch.bool)
        polluted[pool] = False
        clean = torch.cat([trusted[0], images[pool]]), torch.cat([trusted[1], labels[pool]])
        unlabelled = images[polluted]
        losses = []
        model.train()
        for _ in range(settings.steps):
            loss = _mixmatch(model, clean, unlabelled, done / total * settings.unlabelled, settings, generator, drawn)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            falling.step()
            losses.append(loss.detach())
            done += 1
        model.eval()
        yield Epoch(number, done, total, float(torch.stack(losses).mean()))
    return pool


def _clean_pool(model: Classifier, images: Tensor, labels: Tensor, past: float, settings: ASDSettings) -> Tensor:
    """Positions, int64, after the share ``past`` of the rounds."""
    losses = symmetric_losses(model, images, labels)
    if past < settings.first:
        return class_aware(losses, labels, settings.grown * past / settings.first).cpu()
    return lowest(losses, settings.kept).cpu()


def _mixmatch(
    model: Classifier, clean: tuple[Tensor, Tensor], unlabelled: Tensor, weight: float, settings: ASDSettings,
    generator: torch.Generator, drawn: np.random.Generator,
) -> Tensor:  # fmt: skip
    """The loss of one step (Berthelot et al., section 3): labels guessed, images mixed in pairs."""
    size = settings.batch

    def some(many: Tensor) -> Tensor:
        return torch.randint(len(many), (size,), generator=generator).to(many.device)

    def seen(pictures: Tensor) -> Tensor:
        return shifted(as_float(pictures), settings.shift, False, generator)

    at, others = some(clean[0]), unlabelled[some(unlabelled)]
    views = [seen(others), seen(others)]
    with torch.no_grad():
        guess = torch.stack([model(view).softmax(1) for view in views]).mean(0) ** (1 / settings.temperature)
        guess = guess / guess.sum(1, keepdim=True)
    x = torch.cat([seen(clean[0][at]), *views])
    y = torch.cat([F.one_hot(clean[1][at], guess.shape[1]).to(guess), guess, guess])
    share = drawn.beta(settings.alpha, settings.alpha)
    share = max(share, 1 - share)
    partner = torch.randperm(len(x), generator=generator).to(x.device)
    logits = model(share * x + (1 - share) * x[partner])
    wanted = share * y + (1 - share) * y[partner]
    known = -(logits[:size].log_softmax(1) * wanted[:size]).sum(1).mean()
    unknown = ((logits[size:].softmax(1) - wanted[size:]) ** 2).mean()
    return known + weight * unknown
