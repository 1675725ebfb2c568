"""Unlearning with the reconstructed trigger, the second mitigation of Neural Cleanse.

Source: Wang et al., "Neural Cleanse", IEEE S&P 2019, section VI-C ("Patching DNNs via unlearning"): the network is
fine-tuned on clean images, of which a fifth carry the reconstructed trigger and keep their right labels.

The trigger is the one that our scan reconstructs for the class it finds, under a mask as in the paper (section IV-A) if
the scan kept one, else in the form that shows the backdoor best.

Deviations: several epochs over the clean budget instead of one over a tenth of the training set, which is twice as
many images as a budget of 5 % has; rate (0.01) and schedule of BackdoorBench, with fewer epochs; images are shifted
by up to 2 pixels, the trigger is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from core.defenses.presets import from_preset
from core.models.classifier import Classifier
from core.training.loop import TargetedTrigger, Tuning, TuningSettings


@dataclass(frozen=True)
class UnlearningSettings(TuningSettings):
    """Those of fine-tuning, and ``share``: of the images of a batch that carry the trigger, 0-1."""

    restarts: ClassVar[int] = 0  # one trigger is used
    AT_MOST_1: ClassVar[tuple[str, ...]] = ("share",)
    lr: float = 0.01
    share: float = 0.2


PRESETS: dict[str, UnlearningSettings] = {"default": UnlearningSettings()}


def settings_for(preset: str, data: str = "", **changes: Any) -> UnlearningSettings:
    """The settings of a preset with single values changed; see ``core.defenses.settings_for``."""
    return from_preset("Neural Cleanse unlearning", PRESETS, preset, **changes)


class Unlearning(Tuning):
    """Trains a copy of the victim on clean images, some of them with the trigger and their right label.

    Args:
        victim, images, labels, settings, seed: as ``Training``.
        triggers: the reconstructed ones, at least one, the best first; one of its target is used.
    """

    settings: UnlearningSettings

    def __init__(
        self,
        victim: Classifier,
        images: Tensor,
        labels: Tensor,
        triggers: Sequence[TargetedTrigger],
        settings: UnlearningSettings,
        seed: int = 0,
    ) -> None:
        super().__init__(victim, images, labels, settings, seed)
        of_target = [one for one in triggers if one.target == triggers[0].target]
        self.trigger = next((one for one in of_target if getattr(one, "form", "") == "mask"), of_target[0])

    def losses(self, chosen: Tensor) -> dict[str, Tensor]:
        x = self.shifted_batch(chosen)
        stamped = round(self.settings.share * len(x))  # the order of a batch is random, so its first ones are any
        x = torch.cat([self.trigger(x[:stamped]), x[stamped:]])
        logits = self.model(x.contiguous(memory_format=torch.channels_last))
        return {"clean": F.cross_entropy(logits, self.y[chosen])}
