"""A reconstructed trigger: the result of a trigger inversion, which can be applied to images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import torch
from torch import Tensor

from core.registry import loaded
from core.triggers import FORMS as PLACES
from core.triggers import MASKED
from core.triggers.kept import FORMS, KeptTriggers


class Confidence(Enum):
    """How far a scan trusts the triggers it reconstructed."""

    NONE = "none"  # the scan shows no sign of a backdoor
    DOUBTFUL = "doubtful"  # it may be of a wrong class, or a poor copy of the real one
    SURE = "sure"  # strong signs, or the user gave the target class


# The record stores confidence as numbers, in an array called ``push``; run folders of earlier versions have them too.
PUSH = {Confidence.SURE: 1.0, Confidence.DOUBTFUL: 1.5, Confidence.NONE: 0.0}


@dataclass(frozen=True)
class Reconstructed:
    """A trigger that is called with float images (n, 3, h, w) in [0, 1] and returns them with the trigger.

    Attributes:
        form: one of ``core.triggers.FORMS``.
        pattern: (3, h, w), in the units of the form's module: colours (0-1) under a mask, what is added (-1 to 1), or
            displacement to the right, displacement down (pixels) and zeros of a warp.
        mask: opacity, (1, h, w), 0-1; None in forms without masks.
        target: the class it leads to.
        confidence: of the scan that reconstructed it.
    """

    form: str
    pattern: Tensor
    mask: Tensor | None
    target: int
    confidence: Confidence = Confidence.SURE

    @property
    def size(self) -> float:
        """L1 norm, pixels: of the mask, or of the largest channel of the pattern; infinite if it is not finite."""
        if self.mask is not None:
            return float(self.mask.sum())
        amount = float(self.pattern.abs().amax(0).sum())
        return amount if math.isfinite(amount) else math.inf

    def __call__(self, images: Tensor) -> Tensor:
        mask = None if self.mask is None else self.mask.to(images)
        return loaded(PLACES[self.form]).put(images, mask, self.pattern.to(images))  # type: ignore[no-any-return]


def to_record(found: Sequence[Reconstructed], confidence: Confidence) -> KeptTriggers:
    """Triggers, at least one, as a run's record stores them."""
    push = PUSH[confidence]
    return KeptTriggers.of(
        [(one.form, one.target, push, None if one.mask is None else one.mask.cpu(), one.pattern.cpu()) for one in found]
    )


def from_record(found: KeptTriggers, device: torch.device) -> list[Reconstructed]:
    """The triggers that a record stores."""
    confidence = {number: level for level, number in PUSH.items()}
    masks, patterns = (torch.from_numpy(part).to(device) for part in (found.masks, found.patterns))
    rows = zip(found.forms, found.targets, found.push, masks, patterns, strict=True)
    return [
        Reconstructed(
            FORMS[form], pattern, mask if PLACES[FORMS[form]] == MASKED else None, int(target), confidence[float(push)]
        )
        for form, target, push, mask, pattern in rows
    ]
