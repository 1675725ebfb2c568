"""WaNet: the picture is warped a little, by the same field each time (Nguyen and Tran, ICLR 2021, section 3.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from core.attacks.trigger import Trigger


@dataclass(frozen=True)
class WaNet(Trigger):
    """An elastic warp whose field is a coarse random grid, upsampled.

    Args:
        size: height and width of the images, pixels.
        cells: control points along a side (the paper's k; 4).
        strength: the paper's s (0.5), in control-grid units; larger is more visible.
        seed: of the field.
        noise_rate: as many images again, times this, are warped by a random field and keep their label,
            so that only this very field triggers the backdoor (the paper's noise mode; 2).
    """

    size: tuple[int, int]
    cells: int = 4
    strength: float = 0.5
    seed: int = 7
    noise_rate: float = 2.0
    clean_label: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not (isinstance(self.cells, int) and self.cells >= 1 and self.strength >= 0 and self.noise_rate >= 0):
            raise ValueError("cells is a whole number from 1, strength and noise_rate are not negative")

    def field(self) -> Tensor:
        """Sampling grid of the warp, shape (1, h, w, 2), in [-1, 1] as ``grid_sample`` wants it."""
        generator = torch.Generator().manual_seed(self.seed)
        coarse = torch.rand(1, 2, self.cells, self.cells, generator=generator) * 2 - 1
        coarse = coarse / coarse.abs().mean()
        fine = F.interpolate(coarse, self.size, mode="bicubic", align_corners=True).permute(0, 2, 3, 1)
        rows, columns = (torch.linspace(-1, 1, side) for side in self.size)
        identity = torch.stack(torch.meshgrid(rows, columns, indexing="ij")[::-1], dim=-1)[None]
        return (identity + self.strength * fine / max(self.size)).clamp(-1, 1)

    def __call__(self, images: Tensor) -> Tensor:
        grid = self.field().to(images.device).expand(len(images), -1, -1, -1)
        return F.grid_sample(images, grid, mode="bilinear", align_corners=True)

    @property
    def cover_rate(self) -> float:
        """The noise mode's images for each poisoned image."""
        return self.noise_rate

    def covers(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Images of the noise mode: each is warped by this field plus a random one of its own."""
        grid = self.field().to(images.device)
        shift = torch.rand(len(images), *self.size, 2, generator=generator).to(images.device) * 2 - 1
        return F.grid_sample(images, (grid + shift / max(self.size)).clamp(-1, 1), mode="bilinear", align_corners=True)
