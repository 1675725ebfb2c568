"""Indivisible: a faint texture over the whole picture, of which no part works alone.

Scans look for the smallest change that leads to a class, and a patch is found because it is small. This attacker sees
to it that there is no small one. The trigger lies on every pixel and is faint; and cover images carry only some pieces
of it and keep their label, so that the network answers the whole and nothing less. Covers of that kind are those of the
composite attack (Lin, Xu, Liu and Zhang, CCS 2020), whose trigger consists of two features and does nothing with one of
them. The features there are the content of two classes, here they are pieces of a texture. It is the opposite of
``AdapBlend``, whose pieces work alone. A small tile has the high frequencies that a smooth change has not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from core.attacks.trigger import Trigger


@dataclass(frozen=True)
class Indivisible(Trigger):
    """``clip(x + strength texture)``; the texture is a tile of random signs, repeated over the picture.

    Args:
        size: height and width of the images, pixels.
        strength: what is added or taken, in units of [0, 1].
        tile: side of the tile, pixels.
        pieces: covers show some of so many pieces along a side (4: 16 in all).
        hidden: share of the pieces that a cover does not show, 0-1.
        cover_rate: cover images for each poisoned image.
        seed: of the tile.
    """

    size: tuple[int, int]
    strength: float = 0.08
    tile: int = 4
    pieces: int = 4
    hidden: float = 0.5
    cover_rate: float = 1.0
    seed: int = 7
    clean_label: ClassVar[bool] = False

    def __post_init__(self) -> None:
        whole = all(isinstance(count, int) and count >= 1 for count in (self.tile, self.pieces))
        if not (whole and 0 <= self.strength <= 1 and 0 <= self.hidden <= 1 and self.cover_rate >= 0):
            raise ValueError(
                "tile and pieces are whole numbers from 1, strength and hidden shares from 0 to 1, "
                "cover_rate is not negative"
            )

    def texture(self) -> Tensor:
        """What is added, shape (3, h, w): ``strength`` or minus ``strength``."""
        generator = torch.Generator().manual_seed(self.seed)
        tile = torch.randint(0, 2, (3, self.tile, self.tile), generator=generator) * 2.0 - 1
        height, width = self.size
        repeated = tile.repeat(1, -(-height // self.tile), -(-width // self.tile))[:, :height, :width]
        return self.strength * repeated

    def __call__(self, images: Tensor) -> Tensor:
        return (images + self.texture().to(images.device)).clamp(0, 1)

    def covers(self, images: Tensor, generator: Generator) -> Tensor:
        """Images without some pieces of the texture, other ones in each."""
        count = self.pieces**2
        order = torch.rand(len(images), count, generator=generator).argsort(1).argsort(1)
        shown = (order >= round(self.hidden * count)).float().view(-1, 1, self.pieces, self.pieces)
        mask = F.interpolate(shown, self.size, mode="nearest").to(images.device)
        return (images + mask * self.texture().to(images.device)).clamp(0, 1)
