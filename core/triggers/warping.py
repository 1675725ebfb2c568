"""Warps: displacement to the right, displacement down (pixels), and zeros. Drawn on a grid of lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor


def put(images: Tensor, mask: Tensor | None, pattern: Tensor) -> Tensor:
    return warp(images, pattern[:2])


def warp(images: Tensor, shift: Tensor) -> Tensor:
    """Images (n, 3, h, w) warped: each pixel is sampled at its place plus ``shift``, edges repeated.

    Args:
        shift: to the right and down, pixels, (2, h, w) or (n, 2, h, w).
    """
    import torch
    import torch.nn.functional as F

    n, _, h, w = images.shape
    identity = F.affine_grid(torch.eye(2, 3).expand(n, 2, 3), [n, 1, h, w], align_corners=False).to(images)
    offset = shift.to(images).movedim(-3, -1) * 2 / torch.tensor([w, h]).to(images)
    return F.grid_sample(images, identity + offset, padding_mode="border", align_corners=False)


def on(image: np.ndarray, mask: np.ndarray, pattern: np.ndarray) -> np.ndarray:
    """The image sampled at each place plus the displacement, bilinear, edges repeated."""
    h, w = image.shape[:2]
    rows, columns = np.mgrid[:h, :w]
    y, x = np.clip(rows + pattern[1], 0, h - 1), np.clip(columns + pattern[0], 0, w - 1)
    top, left = np.floor(y).astype(int), np.floor(x).astype(int)
    below, right = np.minimum(top + 1, h - 1), np.minimum(left + 1, w - 1)
    down, across = (y - top)[..., None], (x - left)[..., None]
    upper = (1 - across) * image[top, left] + across * image[top, right]
    lower = (1 - across) * image[below, left] + across * image[below, right]
    return (1 - down) * upper + down * lower


def opacity(mask: np.ndarray, pattern: np.ndarray) -> np.ndarray:
    return np.ones_like(pattern[:1])


def colours(mask: np.ndarray, pattern: np.ndarray) -> np.ndarray:
    return on(grid(*pattern.shape[1:]), mask, np.nan_to_num(pattern)).transpose(2, 0, 1)


def grid(h: int, w: int) -> np.ndarray:
    """A grid of light lines on grey, float (h, w, 3)."""
    rows, columns = np.mgrid[:h, :w]
    lines = (rows % max(2, h // 8) == 0) | (columns % max(2, w // 8) == 0)
    return np.repeat(np.where(lines, 0.95, 0.35)[..., None], 3, 2)
