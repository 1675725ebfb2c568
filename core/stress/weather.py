"""Weather: what falls or hangs before the picture, and a glare. Functions of images, float (n, c, h, w) in [0, 1]."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from core.stress.corruption import SMALL, Level, corruption, each
from core.stress.smoothing import smeared

_RAIN: tuple[Level, ...] = (
    (0.005, 0.15, 0.4), (0.01, 0.2, 0.5), (0.015, 0.25, 0.6), (0.02, 0.3, 0.7), (0.025, 0.35, 0.8),
)  # fmt: skip


def _snow(side: int, *levels: Level) -> tuple[Level, ...]:
    """Flakes in pixels of a picture of 32, and radius and sigma as shares of the side."""
    return tuple((a, b, c * SMALL / side, d, e / side, f / side, g) for a, b, c, d, e, f, g in levels)


@corruption(
    _snow(
        32, (0.1, 0.2, 1, 0.6, 8, 3, 0.95), (0.1, 0.2, 1, 0.5, 10, 4, 0.9), (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9),
        (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85), (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8),
    ),
    _snow(
        224, (0.1, 0.3, 3, 0.5, 10, 4, 0.8), (0.2, 0.3, 2, 0.5, 12, 4, 0.7), (0.55, 0.3, 4, 0.9, 12, 8, 0.7),
        (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65), (0.55, 0.3, 2.5, 0.85, 12, 12, 0.55),
    ),
)  # fmt: skip
def snow(
    x: Tensor, mean: float, deviation: float, flake: float, least: float, radius: float, sigma: float, keep: float
) -> Tensor:
    """Flakes that fall at an angle of their own in each picture, before a picture that whitens.

    ``flake``: size of a flake in pixels of a picture of 32; ``least``: brightness from which on there is one.
    """
    n, _, h, w = x.shape
    size = max(1.0, flake * min(h, w) / SMALL)
    layer = mean + deviation * torch.randn(n, 1, math.ceil(h / size), math.ceil(w / size))
    layer = F.interpolate(layer, (h, w), mode="bilinear", align_corners=False)
    layer = torch.where(layer < least, 0.0, layer.clamp(0, 1))
    layer = smeared(layer, (0.25 + 0.5 * torch.rand(n)) * math.pi, radius, sigma)
    grey = x.mean(1, keepdim=True)
    white = keep * x + (1 - keep) * torch.maximum(x, grey * 1.5 + 0.5)
    return white + layer + layer.rot90(2, (-2, -1))


@corruption(_RAIN, _RAIN)
def rain(x: Tensor, drops: float, length: float, opacity: float) -> Tensor:
    """Bright streaks, up to 20 degrees from upright, before a picture that darkens.

    Strengths are ours. ``drops``: share of the pixels where one begins; ``length``: of a streak.
    """
    n, _, h, w = x.shape
    layer = (torch.rand(n, 1, h, w) < drops).float()
    angles = math.pi / 2 + (torch.rand(n) - 0.5) * math.pi * 2 / 9
    layer = (smeared(layer, angles, length, length) * max(2.0, length * min(h, w))).clamp(0, 1) * opacity
    dimmed = x * (1 - 0.3 * opacity)
    return dimmed + layer * (0.85 - dimmed).clamp(min=0)


@corruption(
    ((0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75)),
    ((1.5, 2), (2, 2), (2.5, 1.7), (2.5, 1.5), (3, 1.4)),
)
def fog(x: Tensor, amount: float, decay: float) -> Tensor:
    """A bank of fog of a fractal shape; each octave is ``decay`` times as faint as the one before."""
    n, _, h, w = x.shape
    bank = torch.zeros(n, 1, h, w)
    cells, weight = 2, 1.0
    while cells <= 2 * max(h, w):
        octave = torch.rand(n, 1, cells, cells) - 0.5
        bank += weight * F.interpolate(octave, (h, w), mode="bilinear", align_corners=True)
        cells, weight = 2 * cells, weight / decay
    low, high = bank.amin((1, 2, 3), keepdim=True), bank.amax((1, 2, 3), keepdim=True)
    most = x.amax((1, 2, 3), keepdim=True)
    return (x + amount * (bank - low) / (high - low).clamp(min=1e-6)) * most / (most + amount)


@corruption(each(0.05, 0.1, 0.15, 0.2, 0.3), each(0.1, 0.2, 0.3, 0.4, 0.5))
def brightness(x: Tensor, amount: float) -> Tensor:
    """More value, in the sense of hue, saturation and value: a glare."""
    value = x.amax(1, keepdim=True)
    brighter = (value + amount).clamp(max=1)
    return torch.where(value > 0, x * brighter / value.clamp(min=1e-6), brighter)
