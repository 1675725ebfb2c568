"""Fifteen corruptions at five strengths, after ImageNet-C and CIFAR-10-C.

Hendrycks and Dietterich, "Benchmarking Neural Network Robustness to Common Corruptions and Perturbations", ICLR 2019:
four groups (noise, blur, weather, digital), five strengths each. Their strengths are published for pictures of 32 and
of 224 pixels a side; a size between them takes a strength between them (linear in the logarithm of the smaller side),
and smaller or larger pictures take those of the nearer end. Lengths are shares of the smaller side.

What departs from the paper:

- Gaussian blur, one of the paper's four extra corruptions, stands in for defocus: on small pictures a disc narrower
  than a pixel does nothing. Glass blur is left out.
- Frost needs photographs of the authors'. ``rain`` stands in for it, and ``dead_pixels``, the fault of a sensor, for
  glass blur; the strengths of both are ours.
- Motion blur and the streaks of snow are centred, where ImageMagick's trail to one side, so that no object moves.
- Contrast pulls towards the mean grey of a picture (torchvision), not towards the mean of each channel.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.transforms.v2 import functional as v2

from core.data.imageset import as_float
from core.stress.blurs import blurred, smeared
from core.stress.settings import STRENGTHS
from core.triggers.warping import warp

Level = tuple[float, ...]
SMALL, LARGE = 32, 224  # pixels a side for which strengths are published


@dataclass(frozen=True)
class Corruption:
    """``make(x, *level)`` corrupts float images (n, c, h, w) in [0, 1], drawing from torch's own generator.

    ``small``, ``large``: a level for each strength, for pictures of ``SMALL`` and of ``LARGE`` pixels a side.
    """

    group: str
    make: Callable[..., Tensor]
    small: tuple[Level, ...]
    large: tuple[Level, ...]

    def level(self, strength: int, side: int) -> Level:
        """What ``make`` takes for pictures whose smaller side is ``side`` pixels."""
        share = math.log(min(max(side, SMALL), LARGE) / SMALL) / math.log(LARGE / SMALL)
        pairs = zip(self.small[strength - 1], self.large[strength - 1], strict=True)
        return tuple(low + share * (high - low) for low, high in pairs)


def corrupt(images: Tensor, name: str, strength: int, seed: int = 0) -> Tensor:
    """Corrupted images; the same images in the same number, with the same seed, give the same result.

    Args:
        images: (n, c, h, w), c 1 or 3, uint8 or float in [0, 1]; 8 to about 500 pixels a side. On the CPU.
        name: a key of ``CORRUPTIONS``. strength: 1-5. seed: of everything drawn.

    Returns:
        of the same shape and type.

    Raises:
        ValueError: there is no such corruption or strength.
    """
    if name not in CORRUPTIONS or strength not in STRENGTHS:
        raise ValueError(f"there is no corruption {name!r} of strength {strength}")
    corruption = CORRUPTIONS[name]
    level = corruption.level(strength, min(images.shape[-2:]))
    own = int.from_bytes(hashlib.blake2b(f"{seed} {name} {strength}".encode(), digest_size=7).digest())
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(own)
        made = corruption.make(as_float(images), *level).clamp(0, 1)
    return made.mul(255).round().to(torch.uint8) if images.dtype == torch.uint8 else made


# ---- noise, of the sensor or of the transmission


def gaussian_noise(x: Tensor, sigma: float) -> Tensor:
    return v2.gaussian_noise(x, mean=0.0, sigma=sigma, clip=True)


def shot_noise(x: Tensor, photons: float) -> Tensor:
    """Poisson noise, where white is so many photons."""
    return torch.poisson(x * photons) / photons


def impulse_noise(x: Tensor, share: float) -> Tensor:
    """Salt and pepper: a share of the values becomes 0 or 1."""
    hit, white = torch.rand_like(x) < share, torch.rand_like(x) < 0.5
    return torch.where(hit, white.to(x), x)


# ---- blur


def gaussian_blur(x: Tensor, sigma: float) -> Tensor:
    return blurred(x, sigma * min(x.shape[-2:]))


def motion_blur(x: Tensor, radius: float, sigma: float) -> Tensor:
    """Along a line at an angle of its own for each picture, up to 45 degrees from level."""
    angles = (torch.rand(len(x)) - 0.5) * math.pi / 2
    return smeared(x, angles, radius, sigma)


def zoom_blur(x: Tensor, most: float) -> Tensor:
    """The mean of the picture and of itself, enlarged in steps up to ``most`` times."""
    steps = max(3, math.ceil((most - 1) * max(x.shape[-2:]) / 2) + 1)  # at the edge, a pixel from one to the next
    total = x.clone()
    for k in range(steps):
        scale = 1 / (1 + (most - 1) * k / (steps - 1))
        grid = F.affine_grid(torch.eye(2, 3).mul(scale).expand(len(x), 2, 3), list(x.shape), align_corners=False)
        total += F.grid_sample(x, grid.to(x), padding_mode="reflection", align_corners=False)
    return total / (steps + 1)


# ---- weather


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


def brightness(x: Tensor, amount: float) -> Tensor:
    """More value, in the sense of hue, saturation and value: a glare."""
    value = x.amax(1, keepdim=True)
    brighter = (value + amount).clamp(max=1)
    return torch.where(value > 0, x * brighter / value.clamp(min=1e-6), brighter)


# ---- digital


def contrast(x: Tensor, factor: float) -> Tensor:
    return v2.adjust_contrast(x, factor)


def pixelate(x: Tensor, share: float) -> Tensor:
    """Made smaller, to so large a share of the side, and enlarged again."""
    h, w = x.shape[-2:]
    small = F.interpolate(x, (max(1, int(h * share)), max(1, int(w * share))), mode="area")
    return F.interpolate(small, (h, w), mode="area")


def jpeg(x: Tensor, quality: float) -> Tensor:
    return as_float(v2.jpeg(x.clamp(0, 1).mul(255).round().to(torch.uint8), quality=round(quality)))


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


def dead_pixels(x: Tensor, share: float, columns: float) -> Tensor:
    """A share of the pixels, and of the columns, is black or white in all channels: each picture is taken with a sensor
    of its own, so that no figure hangs on where the faults of one lie. Strengths are ours."""
    n, _, h, w = x.shape
    single, column = torch.rand(n, 1, h, w) < share, torch.rand(n, 1, 1, w) < columns
    white = torch.where(single, torch.rand(n, 1, h, w) < 0.5, torch.rand(n, 1, 1, w) < 0.5)  # a column has one colour
    return torch.where(single | column, white.to(x), x)


# ---- the catalogue


def _each(*values: float) -> tuple[Level, ...]:
    return tuple((value,) for value in values)


def _of(side: int, *lengths: Level) -> tuple[Level, ...]:
    """Pixels in a picture of so many a side, as shares of it."""
    return tuple(tuple(length / side for length in level) for level in lengths)


def _snow(side: int, *levels: Level) -> tuple[Level, ...]:
    """Flakes in pixels of a picture of 32, and radius and sigma as shares of the side."""
    return tuple((a, b, c * SMALL / side, d, e / side, f / side, g) for a, b, c, d, e, f, g in levels)


_RAIN: tuple[Level, ...] = (
    (0.005, 0.15, 0.4), (0.01, 0.2, 0.5), (0.015, 0.25, 0.6), (0.02, 0.3, 0.7), (0.025, 0.35, 0.8),
)  # fmt: skip
_DEAD: tuple[Level, ...] = ((0.005, 0.0), (0.01, 0.01), (0.02, 0.02), (0.04, 0.03), (0.08, 0.05))

CORRUPTIONS = {
    "gaussian_noise": Corruption(
        "noise", gaussian_noise, _each(0.04, 0.06, 0.08, 0.09, 0.10), _each(0.08, 0.12, 0.18, 0.26, 0.38)
    ),
    "shot_noise": Corruption("noise", shot_noise, _each(500, 250, 100, 75, 50), _each(60, 25, 12, 5, 3)),
    "impulse_noise": Corruption(
        "noise", impulse_noise, _each(0.01, 0.02, 0.03, 0.05, 0.07), _each(0.03, 0.06, 0.09, 0.17, 0.27)
    ),
    "gaussian_blur": Corruption(
        "blur", gaussian_blur, _of(32, *_each(0.4, 0.6, 0.7, 0.8, 1)), _of(224, *_each(1, 2, 3, 4, 6))
    ),
    "motion_blur": Corruption(
        "blur", motion_blur, _of(32, (6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5)),
        _of(224, (10, 3), (15, 5), (15, 8), (15, 12), (20, 15)),
    ),
    "zoom_blur": Corruption("blur", zoom_blur, _each(1.05, 1.1, 1.15, 1.2, 1.25), _each(1.1, 1.15, 1.2, 1.25, 1.3)),
    "snow": Corruption(
        "weather", snow,
        _snow(32, (0.1, 0.2, 1, 0.6, 8, 3, 0.95), (0.1, 0.2, 1, 0.5, 10, 4, 0.9), (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9),
              (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85), (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8)),
        _snow(224, (0.1, 0.3, 3, 0.5, 10, 4, 0.8), (0.2, 0.3, 2, 0.5, 12, 4, 0.7), (0.55, 0.3, 4, 0.9, 12, 8, 0.7),
              (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65), (0.55, 0.3, 2.5, 0.85, 12, 12, 0.55)),
    ),
    "rain": Corruption("weather", rain, _RAIN, _RAIN),
    "fog": Corruption(
        "weather", fog, ((0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75)),
        ((1.5, 2), (2, 2), (2.5, 1.7), (2.5, 1.5), (3, 1.4)),
    ),
    "brightness": Corruption(
        "weather", brightness, _each(0.05, 0.1, 0.15, 0.2, 0.3), _each(0.1, 0.2, 0.3, 0.4, 0.5)
    ),
    "contrast": Corruption("digital", contrast, _each(0.75, 0.5, 0.4, 0.3, 0.15), _each(0.4, 0.3, 0.2, 0.1, 0.05)),
    "pixelate": Corruption("digital", pixelate, _each(0.95, 0.9, 0.85, 0.75, 0.65), _each(0.6, 0.5, 0.4, 0.3, 0.25)),
    "jpeg": Corruption("digital", jpeg, _each(80, 65, 58, 50, 40), _each(25, 18, 15, 10, 7)),
    "elastic": Corruption(
        "digital", elastic, ((0, 0, 0.08), (0.05, 0.2, 0.07), (0.08, 0.06, 0.06), (0.1, 0.04, 0.05), (0.1, 0.03, 0.03)),
        ((2, 0.7, 0.1), (2, 0.08, 0.2), (0.05, 0.01, 0.02), (0.07, 0.01, 0.02), (0.12, 0.01, 0.02)),
    ),
    "dead_pixels": Corruption("digital", dead_pixels, _DEAD, _DEAD),
}  # fmt: skip
"""By name, in the order in which they are shown."""
