"""A reconstructed trigger: what an inversion found, ready to be put into images."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


def stamp(images: Tensor, mask: Tensor, pattern: Tensor) -> Tensor:
    """``(1 - m) x + m p``: images (n, 3, h, w) with a pattern under a mask, all in [0, 1]."""
    return images + mask * (pattern - images)


def bent(images: Tensor, shift: Tensor) -> Tensor:
    """Images (n, 3, h, w), each pixel from so many pixels to the right and down: shift (2, h, w) or (n, 2, h, w)."""
    n, _, h, w = images.shape
    still = F.affine_grid(torch.eye(2, 3).expand(n, 2, 3), [n, 1, h, w], align_corners=False).to(images)
    share = shift.to(images).movedim(-3, -1) * 2 / torch.tensor([w, h]).to(images)
    return F.grid_sample(images, still + share, padding_mode="border", align_corners=False)


@dataclass(frozen=True)
class Reconstructed:
    """Puts itself into float images (n, 3, h, w) in [0, 1].

    Attributes:
        form: "mask", "pixel", "smooth" or "warp".
        pattern: (3, h, w); colours 0-1 under a mask, what is added (-1 to 1) without one, or for a warp how far to the
            right and down each pixel is taken from, in pixels (and 0).
        mask: (1, h, w), 0-1, or None.
        target: the class it leads to.
        push: so many times its usual margin a purification pushes away from the target; 0 if the scan showed no sign.
        again: whether it is one of those reconstructed once more, from another start (``core.inversion.again``).
    """

    form: str
    pattern: Tensor
    mask: Tensor | None
    target: int
    push: float = 1.0
    again: bool = False

    def __call__(self, images: Tensor) -> Tensor:
        pattern = self.pattern.to(images)
        if self.form == "warp":
            return bent(images, pattern[:2])
        if self.mask is None:
            return (images + pattern).clamp(0, 1)
        return stamp(images, self.mask.to(images), pattern)
