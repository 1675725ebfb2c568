"""Fine-tuning: the plainest defence. A backdoored network that is trained further on clean images may forget.

Source: the baseline of Liu et al., RAID 2018 (section 3.2), of NAD (Li et al., ICLR 2021), whose learning rate this
begins with, and of BackdoorBench (Wu et al., NeurIPS 2022), whose momentum, weight decay and cosine these are.

Deviations: 4 epochs in batches of 64, for the sake of a CPU, where NAD's authors take 10 of 64 and BackdoorBench 100
of 256; the rate is the highest, between NAD's 0.1 and BackdoorBench's 0.01, at which the clean loss does not rise far
(``core.training.rate_search``); statistics of clean images are adopted before the first step; images are shifted by up
to 2 pixels and never mirrored; a gradient that is long beside the weights is cut (``TuningSettings``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from core.defenses.presets import from_preset
from core.models.classifier import Classifier
from core.training.loop import TargetedTrigger
from core.training.rate_search import SearchedSettings, SearchedTuning

PRESETS: dict[str, SearchedSettings] = {"default": SearchedSettings()}


def settings_for(preset: str, data: str = "", **changes: Any) -> SearchedSettings:
    """The settings of a preset with single values changed; see ``core.defenses.settings_for``."""
    return from_preset("Fine-tuning", PRESETS, preset, **changes)


class FineTuning(SearchedTuning):
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
        settings: SearchedSettings,
        seed: int = 0,
    ) -> None:
        super().__init__(victim, images, labels, settings, seed)

    def losses(self, chosen: Tensor) -> dict[str, Tensor]:
        x = self.shifted_batch(chosen).contiguous(memory_format=torch.channels_last)
        return {"clean": F.cross_entropy(self.model(x), self.y[chosen])}
