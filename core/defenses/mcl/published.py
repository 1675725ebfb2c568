"""MCL as published: model-contrastive learning alone (arXiv 2205.04411; ACM MM 2023, DOI 10.1145/3581783.3612415).

As in the authors' code, a batch holds triggered images only. It follows that there is no cross-entropy on clean images,
that the last linear layer gets no gradient, and that batch-norm statistics are updated on triggered images only. The
result is the model after the last step. The schedule is theirs too: learning rates 0.1, 0.01 and 0.001 from epochs 0, 1
and 10; on GTSRB 0.01, 0.001 and 0.0001 from epochs 0, 2 and 10.

Deviation: trigger and target class come from the scan of this project (``core.scan``); the authors' code is given the
class.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from core.defenses.mcl.contrast import contrast
from core.defenses.mcl.settings import PublishedSettings
from core.models.classifier import Classifier
from core.models.evaluate import features_and_logits
from core.training.loop import TargetedTrigger, Training


class Published(Training):
    """Purifies a copy of the victim with the first of ``triggers``; arguments as ``Training``.

    Raises:
        ValueError: no trigger.
    """

    settings: PublishedSettings
    equal_batches = False  # as in the authors' code: all batches are full but the last

    def __init__(
        self,
        victim: Classifier,
        images: Tensor,
        labels: Tensor,
        triggers: Sequence[TargetedTrigger],
        settings: PublishedSettings,
        seed: int = 0,
    ) -> None:
        if not triggers:
            raise ValueError("MCL needs at least one reconstructed trigger")
        super().__init__(victim, images, labels, settings, seed)
        self.trigger = triggers[0]
        self.clean0 = features_and_logits(victim, self.x)[0]
        self.triggered0 = features_and_logits(victim, self.x, self.trigger)[0]

    def learning_rate(self, step: int) -> float:
        epoch = step // self.per_epoch
        rates = zip(self.settings.lr, self.settings.lr_epochs, strict=True)
        return [rate for rate, start in rates if start <= epoch][-1]

    def losses(self, chosen: Tensor) -> dict[str, Tensor]:
        x_t = self.trigger(self.x[chosen]).contiguous(memory_format=torch.channels_last)
        features, _ = self.model.features_and_logits(x_t)
        return {"contrast": contrast(features, self.clean0[chosen], self.triggered0[chosen], self.settings.tau)}
