"""What a camera, a codec or a resize does to a picture. Functions of images, float (n, c, h, w) in [0, 1]."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.transforms.v2 import functional as v2

from core.data.imageset import as_float
from core.stress.corruption import Level, corruption, each
from core.stress.smoothing import blurred
from core.triggers.warping import warp

_DEAD: tuple[Level, ...] = ((0.005, 0.0), (0.01, 0.01), (0.02, 0.02), (0.04, 0.03), (0.08, 0.05))


@corruption(each(0.75, 0.5, 0.4, 0.3, 0.15), each(0.4, 0.3, 0.2, 0.1, 0.05))
def contrast(x: Tensor, factor: float) -> Tensor:
    return v2.adjust_contrast(x, factor)


@corruption(each(0.95, 0.9, 0.85, 0.75, 0.65), each(0.6, 0.5, 0.4, 0.3, 0.25))
def pixelate(x: Tensor, share: float) -> Tensor:
    """Made smaller, to so large a share of the side, and enlarged again."""
    h, w = x.shape[-2:]
    small = F.interpolate(x, (max(1, int(h * share)), max(1, int(w * share))), mode="area")
    return F.interpolate(small, (h, w), mode="area")


@corruption(each(80, 65, 58, 50, 40), each(25, 18, 15, 10, 7))
def jpeg(x: Tensor, quality: float) -> Tensor:
    return as_float(v2.jpeg(x.clamp(0, 1).mul(255).round().to(torch.uint8), quality=round(quality)))


@corruption(
    ((0, 0, 0.08), (0.05, 0.2, 0.07), (0.08, 0.06, 0.06), (0.1, 0.04, 0.05), (0.1, 0.03, 0.03)),
    ((2, 0.7, 0.1), (2, 0.08, 0.2), (0.05, 0.01, 0.02), (0.07, 0.01, 0.02), (0.12, 0.01, 0.02)),
)
def elastic(x: Tensor, amount: float, sigma: float, slant: float) -> Tensor:
    """Stretched like rubber: three points a third of the side from the middle move by up to ``slant``, and every pixel
    by smooth noise of width ``sigma``, times ``amount``."""
    n, _, h, w = x.shape
    side = min(h, w)
    ys, xs = torch.meshgrid(torch.arange(h) - (h - 1) / 2, torch.arange(w) - (w - 1) / 2, indexing="ij")
    third = side / 3
    corners = torch.tensor([[third, third, 1.0], [third, -third, 1.0], [-third, -third, 1.0]])  # x, y, 1
    moved = (2 * torch.rand(n, 3, 2) - 1) * slant * side
    affine = torch.linalg.solve(corners.expand(n, 3, 3), moved)  # (n, 3, 2): what x, y and 1 add to the shift
    shift = torch.einsum("khw,nkc->nchw", torch.stack([xs, ys, torch.ones(h, w)]), affine)
    noise = blurred(2 * torch.rand(n, 2, h, w) - 1, sigma * side) * amount * side
    return warp(x, shift + noise)


@corruption(_DEAD, _DEAD)
def dead_pixels(x: Tensor, share: float, columns: float) -> Tensor:
    """A share of the pixels, and of the columns, is black or white in all channels. Every picture has faults at other
    places, so that no figure depends on where the faults of one sensor lie. Strengths are ours."""
    n, _, h, w = x.shape
    single, column = torch.rand(n, 1, h, w) < share, torch.rand(n, 1, 1, w) < columns
    white = torch.where(single, torch.rand(n, 1, h, w) < 0.5, torch.rand(n, 1, 1, w) < 0.5)  # a column has one colour
    return torch.where(single | column, white.to(x), x)
