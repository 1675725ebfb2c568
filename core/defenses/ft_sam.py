"""FT-SAM: fine-tuning towards weights around which the loss is flat, so that the backdoor's neurons shrink.

Source: Zhu, Wei, Shen, Fan, Wu, "Enhancing Fine-Tuning Based Backdoor Defense with Sharpness-Aware Minimization",
ICCV 2023 (arXiv 2304.11823), section 4; settings of its authors' code in BackdoorBench (Wu et al., NeurIPS 2022).

Each step minimises, by the gradient taken there, the loss at the worst weights w + e nearby: the largest e within
||e / |w| || <= rho, division weight by weight, which to first order is

    e = rho |w|^2 g / || |w| g ||,    g the gradient at w

as in adaptive SAM (Kwon et al., ICML 2021). Large weights may be moved far, and a backdoor's are large. The clean loss
has smoothed labels, and running statistics are taken at w alone.

Deviations: 3 passes over the clean budget at a rate found as for fine-tuning here (``core.training.rate_search``), for
the sake of a CPU, where the authors take 100 at 0.01; images are shifted by up to 2 pixels and not mirrored.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from core.defenses.fine_tuning import FineTuning
from core.defenses.presets import from_preset
from core.models.classifier import Classifier
from core.training.batchnorm import frozen_statistics
from core.training.rate_search import SearchedSettings

EPSILON = 1e-12  # avoids a division by 0 if all gradients are 0


@dataclass(frozen=True)
class FTSAMSettings(SearchedSettings):
    """Those of fine-tuning, and

    rho: how far the worst weights may be, as a share of each weight's own size.
    smoothing: of the labels, 0-1.
    """

    AT_MOST_1: ClassVar[tuple[str, ...]] = ("smoothing",)
    rho: float = 2.0
    smoothing: float = 0.1
    epochs: int = 3


PRESETS: dict[str, FTSAMSettings] = {"default": FTSAMSettings()}


def settings_for(preset: str, data: str = "", **changes: Any) -> FTSAMSettings:
    """The settings of a preset with single values changed; see ``core.defenses.settings_for``."""
    return from_preset("FT-SAM", PRESETS, preset, **changes)


@contextmanager
def at_worst_weights(model: Classifier, rho: float) -> Iterator[None]:
    """Inside: the weights are the worst ones by the gradients they have; afterwards they are what they were."""
    moved = [(p, p.grad) for p in model.net.parameters() if p.grad is not None]
    before = [p.detach().clone() for p, _ in moved]
    with torch.no_grad():
        norm = torch.stack([(p.abs() * grad).norm() for p, grad in moved]).norm() + EPSILON
        for p, grad in moved:
            p.add_(p.square() * grad * (rho / norm))
    try:
        yield
    finally:
        with torch.no_grad():
            for (p, _), value in zip(moved, before, strict=True):
                p.copy_(value)


class FTSAM(FineTuning):
    """Trains a copy of the victim on the clean budget, each step with the gradient of the worst weights nearby.

    Args:
        victim, images, labels, settings, seed: as ``Training``.
        triggers: not used.
    """

    settings: FTSAMSettings

    def losses(self, chosen: Tensor) -> dict[str, Tensor]:
        x = self.shifted_batch(chosen).contiguous(memory_format=torch.channels_last)
        return {"clean": F.cross_entropy(self.model(x), self.y[chosen], label_smoothing=self.settings.smoothing)}

    def _backward(self, chosen: Tensor) -> dict[str, float]:
        """The loss at the weights as they are, and the gradients of the worst ones nearby."""
        terms = super()._backward(chosen)
        with at_worst_weights(self.model, self.settings.rho), frozen_statistics(self.model):
            super()._backward(chosen)
        return terms
