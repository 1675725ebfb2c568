"""Triggered images that were found, in a training set say, as examples beside those with reconstructed triggers.

Such an image carries the attacker's own trigger. What it lacks is its clean twin, and its true label: what is known is
that the target is not it. So the published loss keeps its negative, f0 of the image as the victim sees it, and takes as
positive the mean f0 of the clean images of the class that the model, as it is now, sees in the image once the target is
taken out of its answers. As the backdoor goes, that class becomes the true one. The same class is the label of the
cross-entropy, with the margin against the target. The paper knows no such images (arXiv 2205.04411 reconstructs all).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from core.data.imageset import as_float
from core.defenses.mcl.contrast import contrast
from core.models.classifier import Classifier
from core.models.evaluate import look


class FoundImages:
    """Images of the target's label that carry the trigger; a few that do not do little harm.

    Args:
        images: uint8 or float (n, 3, h, w); may be none.
        victim: as it came. target: the class they are called.
        clean0: f0 of the clean images, (k, d). labels: of these, (k,).
    """

    def __init__(self, images: Tensor, victim: Classifier, target: int, clean0: Tensor, labels: Tensor) -> None:
        self.target = target
        self.images = as_float(images.to(clean0.device))
        self.features0 = look(victim, self.images)[0] if len(images) else clean0[:0]
        member = F.one_hot(labels, victim.num_classes).to(clean0)
        # a class without clean images has no mean, and pulls to the mean of all
        count = member.sum(0)[:, None]
        self.means = torch.where(count > 0, member.T @ clean0 / count.clamp(min=1), clean0.mean(0))

    def __len__(self) -> int:
        return len(self.images)

    def drawn(self, count: int, generator: Generator) -> Tensor:
        """Positions of at most ``count`` of them."""
        count = min(count, len(self))
        return torch.randperm(len(self), generator=generator)[:count].to(self.images.device)

    def looks_like(self, logits: Tensor) -> Tensor:
        """The class, (n,), that each image is seen as once the target is taken out of its logits (n, classes)."""
        others = logits.detach().clone()
        others[:, self.target] = -math.inf
        return others.argmax(1)

    def losses(
        self, chosen: Tensor, features: Tensor, logits: Tensor, tau: float, margin: float
    ) -> tuple[Tensor, Tensor]:
        """Contrast and cross-entropy of the images ``chosen`` (n,), as the model in training sees them.

        Args:
            features: f of them, (n, d). logits: (n, classes). tau: temperature. margin: against the target.
        """
        guess = self.looks_like(logits)
        ahead = margin * F.one_hot(torch.full_like(guess, self.target), logits.shape[1])
        apart = contrast(features, self.means[guess], self.features0[chosen], tau)
        return apart, F.cross_entropy(logits + ahead, guess)
