"""Blur: out of focus, in motion, and towards the picture. Functions of images, float (n, c, h, w) in [0, 1]."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from core.stress.corruption import corruption, each, shares
from core.stress.smoothing import blurred, smeared


@corruption(shares(32, *each(0.4, 0.6, 0.7, 0.8, 1)), shares(224, *each(1, 2, 3, 4, 6)))
def gaussian_blur(x: Tensor, sigma: float) -> Tensor:
    return blurred(x, sigma * min(x.shape[-2:]))


@corruption(
    shares(32, (6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5)),
    shares(224, (10, 3), (15, 5), (15, 8), (15, 12), (20, 15)),
)
def motion_blur(x: Tensor, radius: float, sigma: float) -> Tensor:
    """Along a line at an angle of its own for each picture, up to 45 degrees from level."""
    angles = (torch.rand(len(x)) - 0.5) * math.pi / 2
    return smeared(x, angles, radius, sigma)


@corruption(each(1.05, 1.1, 1.15, 1.2, 1.25), each(1.1, 1.15, 1.2, 1.25, 1.3))
def zoom_blur(x: Tensor, most: float) -> Tensor:
    """The mean of the picture and of itself, enlarged in steps up to ``most`` times."""
    steps = max(3, math.ceil((most - 1) * max(x.shape[-2:]) / 2) + 1)  # at the edge, a pixel from one to the next
    total = x.clone()
    for k in range(steps):
        scale = 1 / (1 + (most - 1) * k / (steps - 1))
        grid = F.affine_grid(torch.eye(2, 3).mul(scale).expand(len(x), 2, 3), list(x.shape), align_corners=False)
        total += F.grid_sample(x, grid.to(x), padding_mode="reflection", align_corners=False)
    return total / (steps + 1)
