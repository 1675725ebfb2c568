"""Adversarial embedding: triggered features are kept among the clean ones (Tan and Shokri, EuroS&P 2020).

The attacker trains the victim. Beside the loss of the task, the paper's loss has a term that makes the features of
poisoned and clean images indistinguishable, by a discriminator that is trained against the network. Detectors that
look for two groups in feature space then see one.

Here the term is pairwise and needs no second network: 1 - cos(f(x with the trigger), f(x)) on penultimate features.
The clean features are a goal and get no gradient from it: drawn along, they would all collapse to one point. The
pairwise term is harder on the defender in one respect, and it is the one that concerns MCL: each triggered image stays
where *its own class* is, so the positive and the negative pair of MCL's contrast (f(x) and f(x_t) of the victim) are
nearly the same, and there is little left to pull apart. In another it is easier: the paper's discriminator also sees
differences that a cosine does not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from core.attacks.badnets import BadNets
from core.attacks.training import Epoch, TrainSettings, train
from core.attacks.trigger import Poisoned
from core.models.classifier import Classifier


@dataclass(frozen=True)
class AdversarialEmbedding(BadNets):
    """The sticker of ``BadNets``, and a term in the training's loss.

    Args:
        size, look, side, right, bottom: as ``BadNets``.
        weight: of the term, beside the cross-entropy.
        pairs: images of a batch that are also shown with the trigger, at most; where they are many, the statistics of
            batch norm are no longer those of clean images.
    """

    weight: float = 1.0
    pairs: int = 16

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (self.weight >= 0 and isinstance(self.pairs, int) and self.pairs >= 1):
            raise ValueError("weight is not negative, pairs a whole number from 1")

    def train(
        self, model: Classifier, data: Poisoned, target: int, settings: TrainSettings, seed: int
    ) -> Iterator[Epoch]:
        """Ordinary training, but for the term."""

        def loss(net: Classifier, images: Tensor, labels: Tensor) -> Tensor:
            return self.loss(net, images, labels, target, settings.label_smoothing)

        yield from train(model, data.images, data.labels, settings, seed, loss)

    def loss(self, model: Classifier, images: Tensor, labels: Tensor, target: int, smoothing: float = 0.0) -> Tensor:
        """The loss of a batch of the poisoned set.

        Images that are not called ``target`` are clean: up to ``pairs`` of them are shown with the trigger as well, in
        the same pass, so that batch norm sees both.
        """
        clean = torch.nonzero(labels != target).flatten()[: self.pairs]
        features, logits = model.features_and_logits(torch.cat([images, self(images[clean])]))
        called = torch.cat([labels, torch.full_like(clean, target)])
        task = F.cross_entropy(logits, called, label_smoothing=smoothing)
        near = F.cosine_similarity(features[len(images) :], features[clean].detach())
        return task + self.weight * (1 - near).sum() / max(1, len(clean))
