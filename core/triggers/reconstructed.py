"""A reconstructed trigger: what an inversion found, ready to be put into images."""

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

    NONE = "none"  # no sign: nobody's trigger
    DOUBTFUL = "doubtful"  # it may be another class's, or a poor copy
    SURE = "sure"


# as numbers in the record's array ``push``, whose values are older than the names
PUSH = {Confidence.SURE: 1.0, Confidence.DOUBTFUL: 1.5, Confidence.NONE: 0.0}


@dataclass(frozen=True)
class Reconstructed:
    """Puts itself into float images (n, 3, h, w) in [0, 1].

    Attributes:
        form: one of ``core.triggers.FORMS``.
        pattern: (3, h, w); colours 0-1 under a mask, what is added (-1 to 1) without one, or for a warp how far to the
            right and down each pixel is taken from, in pixels (and 0).
        mask: (1, h, w), 0-1, or None.
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
        """L1 size, pixels: of the mask, or of the largest channel of what is added (of a warp, of its shifts)."""
        if self.mask is not None:
            return float(self.mask.sum())
        amount = float(self.pattern.abs().amax(0).sum())
        return amount if math.isfinite(amount) else math.inf

    def __call__(self, images: Tensor) -> Tensor:
        mask = None if self.mask is None else self.mask.to(images)
        return loaded(PLACES[self.form]).put(images, mask, self.pattern.to(images))  # type: ignore[no-any-return]


def kept(found: Sequence[Reconstructed], confidence: Confidence) -> KeptTriggers:
    """Triggers, at least one, for a run's record."""
    push = PUSH[confidence]
    return KeptTriggers.of(
        [(one.form, one.target, push, None if one.mask is None else one.mask.cpu(), one.pattern.cpu()) for one in found]
    )


def recalled(found: KeptTriggers, device: torch.device) -> list[Reconstructed]:
    """The triggers of a record."""
    confidence = {push: sure for sure, push in PUSH.items()}
    masks, patterns = (torch.from_numpy(part).to(device) for part in (found.masks, found.patterns))
    rows = zip(found.forms, found.targets, found.push, masks, patterns, strict=True)
    return [
        Reconstructed(
            FORMS[form], pattern, mask if PLACES[FORMS[form]] == MASKED else None, int(target), confidence[float(push)]
        )
        for form, target, push, mask, pattern in rows
    ]
