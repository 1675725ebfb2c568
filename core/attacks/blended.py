"""Blended injection: a picture shines through every poisoned image (Chen et al., arXiv 1712.05526, section 3.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from core.attacks.trigger import Trigger


@dataclass(frozen=True)
class Blended(Trigger):
    """``x_t = (1 - alpha) x + alpha key``; the key is smooth random noise, as in the paper's second kind.

    Args:
        size: height and width of the images, pixels.
        alpha: share of the key picture, 0-1 (0.2 in the paper).
        cells: how many random cells the key has along a side; more cells give a finer pattern.
        seed: of the key.
    """

    size: tuple[int, int]
    alpha: float = 0.2
    cells: int = 8
    seed: int = 7
    clean_label: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not (0 <= self.alpha <= 1 and isinstance(self.cells, int) and self.cells >= 1):
            raise ValueError("alpha is a share from 0 to 1, cells a whole number from 1")

    def key(self) -> Tensor:
        """The picture that is blended in, shape (3, h, w), 0-1."""
        noise = torch.rand(1, 3, self.cells, self.cells, generator=torch.Generator().manual_seed(self.seed))
        return F.interpolate(noise, self.size, mode="bicubic", align_corners=False)[0].clamp(0, 1)

    def __call__(self, images: Tensor) -> Tensor:
        return (1 - self.alpha) * images + self.alpha * self.key().to(images.device)
