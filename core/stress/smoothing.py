"""Blurs that several corruptions use: Gaussian, and along a line."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as v2

from core.triggers.warping import warp


def blurred(x: Tensor, sigma: float) -> Tensor:
    """Images (n, c, h, w) under a Gaussian of standard deviation ``sigma``, pixels; cut at three of them."""
    largest = 2 * min(x.shape[-2:]) - 1  # with mirrored borders
    size = min(2 * math.ceil(3 * sigma) + 1, largest)
    for kernel in ([size, 1], [1, size]):  # separable: torchvision alone would use the whole square
        x = v2.gaussian_blur(x, kernel_size=kernel, sigma=[max(sigma, 1e-3)] * 2)
    return x


def smeared(x: Tensor, angles: Tensor, radius: float, sigma: float) -> Tensor:
    """Images (n, c, h, w) smeared along a line: the mean of moved copies, weighted by a normal distribution.

    Args:
        angles: of the line, radians, (n,).
        radius: length of the line, as a share of the smaller side.
        sigma: standard deviation of the weights, as a share of the smaller side.
    """
    n, _, h, w = x.shape
    side = min(h, w)
    steps = 2 * max(1, math.ceil(radius * side / 2)) + 1  # the middle one is not moved
    places = (torch.arange(steps) / (steps - 1) - 0.5) * radius * side
    weights = torch.exp(-0.5 * (places / max(sigma * side, 1e-3)) ** 2)
    weights /= weights.sum()
    line = torch.stack([angles.cos(), angles.sin()], 1)[:, :, None, None]
    total = torch.zeros_like(x)
    for place, weight in zip(places.tolist(), weights.tolist(), strict=True):
        total += weight * warp(x, (line * place).expand(n, 2, h, w))
    return total
