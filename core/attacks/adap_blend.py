"""Adap-Blend: parts of a blended picture in training, all of it at test time (Qi et al., ICLR 2023, section 4.2).

Two things keep poisoned images from forming a cluster of their own in feature space. Cover images carry the trigger
and keep their label, so the trigger alone does not decide; and each training image shows other parts of it, more
faintly than at test time, so the features of the whole are never seen in training. Figures are those of the authors'
code for CIFAR-10, where 0.3 % of the images are poisoned and as many are covers. The picture is the one of ``Blended``
(smooth noise) instead of theirs; covers are of any class there, and of any but the target here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from core.attacks.blended import Blended
from core.attacks.trigger import Trigger


@dataclass(frozen=True)
class AdapBlend(Trigger):
    """``x + alpha (key - x)``, in training under a mask that hides pieces drawn anew for each image.

    Args:
        size: height and width of the images, pixels.
        alpha: share of the key picture in training, 0-1.
        test_alpha: the same at test time, 0-1.
        pieces: the key is cut into so many pieces along a side (4: 16 in all).
        hidden: share of the pieces that a training image does not show, 0-1.
        cover_rate: cover images for each poisoned image.
        cells, seed: of the key, as in ``Blended``.
    """

    size: tuple[int, int]
    alpha: float = 0.15
    test_alpha: float = 0.2
    pieces: int = 4
    hidden: float = 0.5
    cover_rate: float = 1.0
    cells: int = 8
    seed: int = 7
    clean_label: ClassVar[bool] = False

    def __post_init__(self) -> None:
        shares = all(0 <= share <= 1 for share in (self.alpha, self.test_alpha, self.hidden))
        whole = all(isinstance(count, int) and count >= 1 for count in (self.pieces, self.cells))
        if not (shares and whole and self.cover_rate >= 0):
            raise ValueError(
                "alpha, test_alpha and hidden are shares from 0 to 1, pieces and cells whole numbers from 1, "
                "cover_rate is not negative"
            )

    def key(self) -> Tensor:
        """The picture that is blended in, shape (3, h, w), 0-1."""
        return Blended(self.size, cells=self.cells, seed=self.seed).key()

    def __call__(self, images: Tensor) -> Tensor:
        return images + self.test_alpha * (self.key().to(images) - images)

    def planted(self, images: Tensor, generator: Generator) -> Tensor:
        """Images with some pieces of the key, other ones in each."""
        count = self.pieces**2
        order = torch.rand(len(images), count, generator=generator).argsort(1).argsort(1)
        shown = (order >= round(self.hidden * count)).float().view(-1, 1, self.pieces, self.pieces)
        mask = F.interpolate(shown, self.size, mode="nearest").to(images.device)
        return images + self.alpha * mask * (self.key().to(images) - images)

    def covers(self, images: Tensor, generator: Generator) -> Tensor:
        """The same as ``planted``: what differs is the label."""
        return self.planted(images, generator)
