"""Fine-tuning: the plainest defence. A backdoored network that is trained further on clean images may forget.

Source: the baseline of Liu et al., RAID 2018 (section 3.2), of NAD (Li et al., ICLR 2021), whose learning rate this
is, and of BackdoorBench (Wu et al., NeurIPS 2022), whose momentum, weight decay and cosine these are.

Deviations: 4 epochs, for the sake of a CPU, where NAD's authors take 10 and BackdoorBench 100; images are shifted by
up to 2 pixels and never mirrored; a gradient that is long beside the weights is cut (``TuningSettings``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from core.defenses.presets import from_preset
from core.models.classifier import Classifier
from core.training.loop import TargetedTrigger, Tuning, TuningSettings

PRESETS: dict[str, TuningSettings] = {"default": TuningSettings()}


def settings_for(preset: str, data: str = "", **changes: Any) -> TuningSettings:
    """The settings of a preset with single values changed; see ``core.defenses.settings_for``."""
    return from_preset("Fine-tuning", PRESETS, preset, **changes)


class FineTuning(Tuning):
    """Trains a copy of the victim on the clean budget alone.

    Args:
        victim, images, labels, settings, seed: as ``Training``.
        triggers: not used.
    """

    def __init__(
        self,
        victim: Classifier,
        images: Tensor,
        labels: Tensor,
        triggers: Sequence[TargetedTrigger],
        settings: TuningSettings,
        seed: int = 0,
    ) -> None:
        super().__init__(victim, images, labels, settings, seed)

    def losses(self, chosen: Tensor) -> dict[str, Tensor]:
        x = self.shifted_batch(chosen).contiguous(memory_format=torch.channels_last)
        return {"clean": F.cross_entropy(self.model(x), self.y[chosen])}
