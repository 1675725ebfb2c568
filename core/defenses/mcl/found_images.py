"""Found images: training images that are known to carry the attacker's own trigger.

The data room finds such images. They are trained on beside the images with reconstructed triggers. A found image x_t
has no clean twin x, and its true label is unknown. Known is only that the true label is not the target. So the two loss
terms replace what is missing by a *guess*: the class that the current model answers if the target is left out.

- Contrast: the negative is f0(x_t), as published. The positive is the mean f0 of the clean images of the guessed class.
- Cross-entropy: the label is the guessed class, with the margin against the target.

While the backdoor fades, the guess becomes the true class. The paper (arXiv 2205.04411) has no such images; all its
triggered images carry a reconstructed trigger.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from core.data.imageset import as_float
from core.defenses.mcl.contrast import contrast
from core.models.classifier import Classifier
from core.models.evaluate import features_and_logits


class FoundImages:
    """Images that are labelled with the target and carry the trigger; a few false ones among them do little harm.

    Args:
        images: uint8 or float (n, 3, h, w); n may be 0.
        victim: the backdoored model.
        target: the class that the images are labelled with.
        clean0: f0 of the clean images, (k, d).
        labels: classes of the clean images, (k,).
    """

    def __init__(self, images: Tensor, victim: Classifier, target: int, clean0: Tensor, labels: Tensor) -> None:
        self.target = target
        self.images = as_float(images.to(clean0.device))
        self.features0 = features_and_logits(victim, self.images)[0] if len(images) else clean0[:0]
        member = F.one_hot(labels, victim.num_classes).to(clean0)
        count = member.sum(0)[:, None]
        # a class without clean images gets the mean over all clean images
        self.class_means0 = torch.where(count > 0, member.T @ clean0 / count.clamp(min=1), clean0.mean(0))

    def __len__(self) -> int:
        return len(self.images)

    def draw(self, count: int, generator: Generator) -> Tensor:
        """Positions of at most ``count`` found images, drawn without replacement, (n,)."""
        count = min(count, len(self))
        return torch.randperm(len(self), generator=generator)[:count].to(self.images.device)

    def guess(self, logits: Tensor) -> Tensor:
        """The class other than the target with the largest logit, (n,), from logits (n, classes)."""
        others = logits.detach().clone()
        others[:, self.target] = -math.inf
        return others.argmax(1)

    def losses(
        self, chosen: Tensor, features: Tensor, logits: Tensor, tau: float, margin: float
    ) -> tuple[Tensor, Tensor]:
        """Contrastive loss and cross-entropy of the found images at the positions ``chosen`` (n,), means over them.

        Args:
            features: f of them, (n, d).
            logits: of the model being purified, (n, classes).
            tau: temperature of the contrast.
            margin: added to the target's logit.
        """
        guessed = self.guess(logits)
        margins = margin * F.one_hot(torch.full_like(guessed, self.target), logits.shape[1])
        contrastive = contrast(features, self.class_means0[guessed], self.features0[chosen], tau)
        return contrastive, F.cross_entropy(logits + margins, guessed)
