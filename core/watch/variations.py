"""Random variations of clean images, which a guard must not flag: brightness, contrast, noise, blur, small shifts.

The clean budget was taken under the conditions of the training images. The varied copies stand for clean images taken
under other conditions. Rain and fog are left out, since the guard is tested on them (``tests/benchmarks/guard.py``).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from core.data.imageset import as_float

GAIN, OFFSET, NOISE, BLUR, SHIFT = 0.3, 0.1, 0.05, 0.9, 1
"""At most: contrast 1 +- GAIN, brightness +- OFFSET, noise and blur as standard deviations (of 1, and in pixels of an
image 32 pixels wide), and pixels of such an image."""


def varied(images: Tensor, seed: int) -> Tensor:
    """One copy of each image, every one changed at random.

    Args:
        images: uint8 or float in [0, 1], (n, 3, h, w).

    Returns:
        uint8, the same shape.
    """
    generator = Generator().manual_seed(seed)
    x = as_float(images.cpu()).clone()
    count, side = len(x), min(x.shape[-2:])

    def drawn() -> Tensor:
        return torch.rand(count, 1, 1, 1, generator=generator)

    middle = x.mean((1, 2, 3), keepdim=True)
    x = (x - middle) * (1 + GAIN * (2 * drawn() - 1)) + middle + OFFSET * (2 * drawn() - 1)
    x = _blurred(x, BLUR * side / 32 * drawn())
    x = _shifted(x, max(1, round(SHIFT * side / 32)), generator)
    x = x + NOISE * drawn() * torch.randn(x.shape, generator=generator)
    return x.clamp(0, 1).mul(255).round().to(torch.uint8)


def _blurred(x: Tensor, sigma: Tensor) -> Tensor:
    """Each image with a Gaussian of its own width, (n, 1, 1, 1), cut at three times the widest."""
    reach = max(1, round(3 * float(sigma.max())))
    reach = min(reach, min(x.shape[-2:]) - 1)  # as far as mirrored edges go
    offsets = torch.arange(-reach, reach + 1).float()
    kernel = torch.exp(-(offsets**2) / (2 * sigma.flatten()[:, None].clamp_min(0.05) ** 2))
    kernel = kernel / kernel.sum(1, keepdim=True)
    count, channels = x.shape[:2]
    weight = kernel.repeat_interleave(channels, 0)
    flat = F.pad(x, (reach,) * 4, mode="reflect").flatten(0, 1)[None]
    flat = F.conv2d(flat, weight[:, None, None, :], groups=count * channels)
    flat = F.conv2d(flat, weight[:, None, :, None], groups=count * channels)
    return flat[0].unflatten(0, (count, channels))


def _shifted(x: Tensor, most: int, generator: Generator) -> Tensor:
    """Each image moved by up to ``most`` pixels either way; the edge is repeated."""
    padded = F.pad(x, (most,) * 4, mode="replicate")
    height, width = x.shape[-2:]
    down = torch.randint(0, 2 * most + 1, (len(x),), generator=generator).tolist()
    right = torch.randint(0, 2 * most + 1, (len(x),), generator=generator).tolist()
    return torch.stack(
        [padded[i, :, d : d + height, r : r + width] for i, (d, r) in enumerate(zip(down, right, strict=True))]
    )
