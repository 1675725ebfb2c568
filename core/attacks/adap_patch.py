"""Adap-Patch: one faint patch of four in training, two opaque ones at test time (Qi et al., ICLR 2023, section 4.2).

As with ``AdapBlend``, cover images carry the trigger and keep their label, and what is shown in training is weaker
than what is used at test time. Opacities, which patches are used at test time and two covers for each poisoned image
are those of the authors' code for CIFAR-10, where 0.3 % of the images are poisoned. Their patches are two logos, the
grid of BadNets and the square of TrojanNN. The logos are not ours to hand on, and the square is a picture of noise too:
three squares of coloured noise take their places, one in each corner, so that no two lie over each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Generator, Tensor

from core.attacks.badnets import grid
from core.attacks.trigger import Trigger

OPACITY = (0.5, 0.2, 0.5, 0.3)  # of each patch in training: two logos, the grid, a square
TESTED = (0, 2)  # the patches of test time, opaque
COARSE = 2  # pixels a side, of the cells of coloured noise


@dataclass(frozen=True)
class AdapPatch(Trigger):
    """Four patches in the corners: upper left, upper right, lower right (the grid), lower left.

    Args:
        size: height and width of the images, pixels.
        side: of the three squares of coloured noise, pixels; the grid always has 3.
        cover_rate: cover images for each poisoned image.
        seed: of the colours.
    """

    size: tuple[int, int]
    side: int = 8
    cover_rate: float = 2.0
    seed: int = 7
    clean_label: ClassVar[bool] = False

    def __post_init__(self) -> None:
        fits = isinstance(self.side, int) and 1 <= self.side <= min(self.size) // 2
        if not (fits and min(self.size) >= 6 and self.cover_rate >= 0):
            raise ValueError("side is a whole number of pixels up to half of the picture, cover_rate not negative")

    def masks_and_patterns(self) -> tuple[Tensor, Tensor]:
        """Where each patch lies, (4, 1, h, w), 0 or 1, and its pixels, (4, 3, h, w), in [0, 1]."""
        generator = torch.Generator().manual_seed(self.seed)
        cells = -(-self.side // COARSE)
        squares = torch.rand(len(OPACITY), 3, cells, cells, generator=generator).round()
        squares = squares.repeat_interleave(COARSE, 2).repeat_interleave(COARSE, 3)[..., : self.side, : self.side]
        masks, patterns = torch.zeros(4, 1, *self.size), torch.zeros(4, 3, *self.size)
        for number, (low, right) in enumerate(((False, False), (False, True), (True, True), (True, False))):
            pixels = grid()[0] if number == 2 else squares[number]
            side = pixels.shape[-1]
            rows = slice(self.size[0] - side, None) if low else slice(side)
            columns = slice(self.size[1] - side, None) if right else slice(side)
            masks[number, :, rows, columns] = 1
            patterns[number, :, rows, columns] = pixels
        return masks, patterns

    def __call__(self, images: Tensor) -> Tensor:
        masks, patterns = (part.to(images.device) for part in self.masks_and_patterns())
        for number in TESTED:
            images = images + masks[number] * (patterns[number] - images)
        return images

    def planted(self, images: Tensor, generator: Generator) -> Tensor:
        """Images with one faint patch each; every patch is as frequent as any other."""
        masks, patterns = (part.to(images.device) for part in self.masks_and_patterns())
        kinds = (torch.randperm(len(images), generator=generator) % len(OPACITY)).to(images.device)
        opacity = torch.tensor(OPACITY, device=images.device)[kinds].view(-1, 1, 1, 1)
        return images + opacity * masks[kinds] * (patterns[kinds] - images)

    def covers(self, images: Tensor, generator: Generator) -> Tensor:
        """The same as ``planted``: what differs is the label."""
        return self.planted(images, generator)
