"""Noise, of the sensor or of the transmission. Functions of images, float (n, c, h, w) in [0, 1]."""

from __future__ import annotations

import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as v2

from core.stress.corruption import corruption, each


@corruption(each(0.04, 0.06, 0.08, 0.09, 0.10), each(0.08, 0.12, 0.18, 0.26, 0.38))
def gaussian_noise(x: Tensor, sigma: float) -> Tensor:
    return v2.gaussian_noise(x, mean=0.0, sigma=sigma, clip=True)


@corruption(each(500, 250, 100, 75, 50), each(60, 25, 12, 5, 3))
def shot_noise(x: Tensor, photons: float) -> Tensor:
    """Poisson noise, where white is so many photons."""
    return torch.poisson(x * photons) / photons


@corruption(each(0.01, 0.02, 0.03, 0.05, 0.07), each(0.03, 0.06, 0.09, 0.17, 0.27))
def impulse_noise(x: Tensor, share: float) -> Tensor:
    """Salt and pepper: a share of the values becomes 0 or 1."""
    hit, white = torch.rand_like(x) < share, torch.rand_like(x) < 0.5
    return torch.where(hit, white.to(x), x)
