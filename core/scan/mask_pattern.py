"""Trigger inversion with mask and pattern, for triggers at a place in the image.

Source: Neural Cleanse (Wang et al., IEEE S&P 2019, section IV-B), the form of inversion that the first version of MCL
builds on. It looks for the smallest mask m, with a pattern p, such that ``(1 - m) x + m p`` is answered with class c
for nearly every image x.

Mask and pattern are clipped to [0, 1] after each step, as in the first version of MCL's code. A clipped mask reaches
exact zeros, which a sigmoid never does.
"""

from __future__ import annotations

import torch
from torch import Tensor

from core.scan.inversion import Inversion, InversionSettings
from core.triggers.masked import put

SETTINGS = InversionSettings()
START = 0.2  # initial opacity of the masks; the patterns start from random colours


class MaskPattern(Inversion):
    """Parts: masks (count, 1, h, w) and patterns (count, 3, h, w), both in [0, 1]."""

    form = "mask"

    def stamped(self, images: Tensor, parts: list[Tensor]) -> Tensor:
        mask, pattern = parts
        return put(images[None], mask[:, None], pattern[:, None])

    def size(self, parts: list[Tensor]) -> Tensor:
        return parts[0].sum((1, 2, 3))

    def constrain(self) -> None:
        for part in self.parts:
            part.clamp_(0, 1)

    def result(self, parts: list[Tensor]) -> tuple[Tensor | None, Tensor]:
        return parts[0], parts[1]


def start(classes: Tensor, shape: tuple[int, int], settings: InversionSettings, seed: int) -> MaskPattern:
    """The inversion for these classes before its first step; a class may occur more than once."""
    generator = torch.Generator().manual_seed(seed)
    mask = torch.full((len(classes), 1, *shape), START, device=classes.device)
    pattern = torch.rand(len(classes), 3, *shape, generator=generator).to(classes.device)
    return MaskPattern(classes, [mask, pattern], settings)
