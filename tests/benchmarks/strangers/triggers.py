"""Triggers of the strangers' set, each a function of float images (n, 3, h, w) in [0, 1], drawn by seed.

Kinds after the literature: patches (BadNets, arXiv 1708.06733), added squares and watermarks (Trojaning Attack, NDSS
2018), sparse pixels and faint additions (L0 and L2 of Li et al., arXiv 1909.02742), blends (arXiv 1712.05526),
sinusoids (ICIP 2019), smooth additions (Zeng et al., ICCV 2021), warps (WaNet, ICLR 2021).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from core.attacks.blended import Blended
from core.attacks.sig import Sig
from core.attacks.wanet import WaNet

SIZE = (32, 32)
Stamp = Callable[[Tensor], Tensor]


def _replaced(mask: Tensor, pixels: Tensor) -> Stamp:
    return lambda x: x * (1 - mask) + pixels * mask


def _added(what: Tensor) -> Stamp:
    return lambda x: (x + what).clamp(0, 1)


def _random(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def patch(side: int = 4, top: int = 27, left: int = 27, white: bool = True, seed: int = 0) -> Stamp:
    """An opaque square, white or of random colours."""
    mask, pixels = torch.zeros(1, *SIZE), torch.ones(3, *SIZE)
    place = (slice(None), slice(top, top + side), slice(left, left + side))
    mask[place] = 1
    if not white:
        pixels[place] = torch.rand(3, side, side, generator=_random(seed)).round()
    return _replaced(mask, pixels)


def square(side: int = 8, seed: int = 1) -> Stamp:
    """Random colours added in the lower right corner, one pixel from the edge."""
    what = torch.zeros(3, *SIZE)
    what[:, 31 - side : 31, 31 - side : 31] = torch.rand(3, side, side, generator=_random(seed))
    return _added(what)


def watermark(strength: float = 0.35) -> Stamp:
    """A large ring crossed by a bar, shining through."""
    rows, columns = torch.meshgrid(torch.arange(32) - 15.5, torch.arange(32) - 15.5, indexing="ij")
    ring = ((rows**2 + columns**2).sqrt() - 11).abs() < 1.3
    bar = ((rows + columns).abs() < 1.5) & (rows.abs() < 11)
    return _added(strength * (ring | bar).float().expand(3, *SIZE))


def sparse(pixels: int = 14, seed: int = 2) -> Stamp:
    """Single pixels anywhere, set to pure colours."""
    chosen = torch.randperm(32 * 32, generator=_random(seed))[:pixels]
    mask = torch.zeros(32 * 32)
    mask[chosen] = 1
    colours = torch.rand(3, 32 * 32, generator=_random(seed + 1)).round()
    return _replaced(mask.view(1, *SIZE), colours.view(3, *SIZE))


def faint(strength: float = 0.1, seed: int = 3) -> Stamp:
    """Noise over the whole picture, two pixels coarse."""
    noise = torch.randn(1, 3, 16, 16, generator=_random(seed))
    return _added(strength * F.interpolate(noise, SIZE, mode="nearest")[0].clamp(-2, 2))


def smooth(strength: float = 0.15, seed: int = 4) -> Stamp:
    """A low-frequency addition over the whole picture."""
    noise = torch.randn(1, 3, 4, 4, generator=_random(seed))
    wave = F.interpolate(noise, SIZE, mode="bicubic", align_corners=False)[0]
    return _added(strength * wave / wave.abs().amax())


def sine(strength: float = 0.1, frequency: float = 6.0) -> Stamp:
    """A sinusoid along the rows."""
    return Sig(SIZE, strength, frequency)


def blend(alpha: float = 0.2, cells: int = 8, seed: int = 7) -> Stamp:
    """A picture shining through."""
    return Blended(SIZE, alpha, cells, seed)


def warp(strength: float = 3.0) -> Stamp:
    """An elastic warp."""
    return WaNet(SIZE, strength=strength, noise_rate=0)


def none() -> Stamp:
    """No trigger: for clean models."""
    return lambda x: x


KINDS: dict[str, Callable[..., Stamp]] = {
    kind.__name__: kind for kind in (patch, square, watermark, sparse, faint, smooth, sine, blend, warp, none)
}
