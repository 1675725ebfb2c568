"""BadNets: a patch is pasted into the picture (Gu et al., arXiv 1708.06733, section 3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import torch
from torch import Tensor

from core.attacks.trigger import Trigger
from core.errors import BadInput

Look = Literal["sticker", "grid"]


def grid() -> tuple[Tensor, Tensor]:
    """The 3x3 grid of the MCL authors' CIFAR-10 experiments: white at the corners' cross, black elsewhere."""
    white = torch.tensor([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 1.0]])
    return white.expand(3, 3, 3).clone(), torch.ones(1, 3, 3)


def _sticker(side: int) -> tuple[Tensor, Tensor]:
    """A yellow sticky note with a dark border and a dark dot, as somebody could put on a real sign."""
    axis = torch.arange(side) - (side - 1) / 2
    edge = (axis.abs() >= (side - 1) / 2).float()
    border = torch.maximum(edge[:, None], edge[None, :])
    dot = ((axis[:, None] ** 2 + axis[None, :] ** 2) <= (side / 6) ** 2).float()
    dark = torch.maximum(border, dot)
    yellow, ink = torch.tensor([1.0, 0.85, 0.1]), torch.tensor([0.1, 0.1, 0.15])
    pixels = yellow[:, None, None] * (1 - dark) + ink[:, None, None] * dark
    return pixels, torch.ones(1, side, side)


@dataclass(frozen=True)
class BadNets(Trigger):
    """A fixed opaque patch at a fixed place.

    Args:
        size: height and width of the images, pixels.
        look: "sticker" (a yellow note people see) or "grid" (3x3 black and white, as in the MCL paper's code).
        side: side of the sticker in pixels; the grid always has 3.
        right, bottom: distance of the patch from the right and lower edge, pixels.
    """

    size: tuple[int, int]
    look: Look = "sticker"
    side: int = 6
    right: int = 0
    bottom: int = 0
    clean_label: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.look not in get_args(Look) or not all(isinstance(v, int) for v in (self.side, self.right, self.bottom)):
            raise ValueError("look is sticker or grid; the others are whole pixels")
        side = 3 if self.look == "grid" else self.side
        inside = 0 <= self.right <= self.size[1] - side and 0 <= self.bottom <= self.size[0] - side
        if side < 1 or not inside:
            raise BadInput(
                "patch_outside",
                f"A patch of {side} px, {self.right} px from the right and {self.bottom} px from the bottom, does not "
                f"fit into images of {self.size[0]} x {self.size[1]} px.",
                side=side,
                height=self.size[0],
                width=self.size[1],
            )

    def mask_and_pattern(self) -> tuple[Tensor, Tensor]:
        """Opacity (1, h, w) and pixels (3, h, w), both in [0, 1]."""
        pixels, opacity = grid() if self.look == "grid" else _sticker(self.side)
        side = pixels.shape[-1]
        mask, pattern = torch.zeros(1, *self.size), torch.zeros(3, *self.size)
        top, left = self.size[0] - self.bottom - side, self.size[1] - self.right - side
        mask[:, top : top + side, left : left + side] = opacity
        pattern[:, top : top + side, left : left + side] = pixels
        return mask, pattern

    def __call__(self, images: Tensor) -> Tensor:
        mask, pattern = (part.to(images.device) for part in self.mask_and_pattern())
        return images * (1 - mask) + pattern * mask
