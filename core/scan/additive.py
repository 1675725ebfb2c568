"""Trigger inversion without a mask: for triggers that have no place, such as blends, watermarks and faint noise.

Source: pixel inversion as in Tao et al., "Better Trigger Inversion Optimization in Backdoor Scanning" (CVPR 2022,
section 3), the form of MCL's second version: what is added is the difference of a positive and a negative part, each
``tanh`` of a non-negative variable, so ``x_t = clip(x + tanh(a) - tanh(b))``. Its size counts, for each pixel, the
largest channel of either part.

``smooth`` is ours: the same on a coarse grid, upsampled to the picture. Blends and warps are smooth; a grid finds them
with far smaller triggers than those of honest classes, where pixel by pixel the two can hardly be told apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from core.models.classifier import Classifier
from core.scan.race import Inverted, Race, RaceSettings, run
from core.scan.sought import Sought

SETTINGS = RaceSettings(
    race_steps=70, final_steps=30, lr=0.1, attack_rate=0.9, size_weight=1e-3, weight_factor=1.5, finalists=2
)
CELLS = 8  # grid points a side of the smooth form, on 32 px images: triggers coarser than four pixels
START = (0.01, 0.03)  # of both parts: nearly nothing is added


class Additive(Race):
    """Parts: the variables of the positive and of the negative part, (count, 3, h, w) or (count, 3, cells, cells)."""

    form = "pixel"

    def __init__(self, classes: Tensor, parts: list[Tensor], settings: RaceSettings, shape: tuple[int, int]) -> None:
        super().__init__(classes, parts, settings)
        self.shape = shape
        self.share = shape[0] * shape[1] / parts[0][0, 0].numel()  # pixels a variable stands for

    def added(self, parts: list[Tensor]) -> Tensor:
        """What is added to a picture, (count, 3, h, w), -1 to 1."""
        positive, negative = (part.tanh() for part in parts)
        difference = positive - negative
        if difference.shape[-2:] == self.shape:
            return difference
        return F.interpolate(difference, self.shape, mode="bicubic", align_corners=False)

    def stamped(self, images: Tensor, parts: list[Tensor]) -> Tensor:
        return (images[None] + self.added(parts)[:, None]).clamp(0, 1)

    def size(self, parts: list[Tensor]) -> Tensor:
        positive, negative = (part.tanh().amax(1).sum((1, 2)) for part in parts)
        return self.share * (positive + negative)

    def constrain(self) -> None:
        for part in self.parts:
            part.clamp_(0, 3)  # tanh(3) = 0.995: as good as everything, and a gradient still comes through

    def result(self, parts: list[Tensor]) -> tuple[Tensor | None, Tensor]:
        return None, self.added(parts)


class Smooth(Additive):
    form = "smooth"


def invert(
    model: Classifier,
    images: Tensor,
    settings: RaceSettings | None = None,
    seed: int = 0,
    smooth: bool = False,
    sought: Sought | None = None,
) -> Iterator[tuple[int, int, Inverted | None]]:
    """Reconstructs an added trigger for every class; arguments and yields as ``core.scan.race.run``.

    Args:
        smooth: on a grid of ``CELLS`` points a side per 32 pixels, instead of pixel by pixel.
    """
    classes, shape = torch.arange(model.num_classes, device=model.mean.device), (images.shape[-2], images.shape[-1])
    yield from run(start(classes, shape, settings or SETTINGS, seed, smooth), model, images, seed + 1, sought)


def start(classes: Tensor, shape: tuple[int, int], settings: RaceSettings, seed: int, smooth: bool = False) -> Additive:
    """The race of these classes at its start; one may be among them more than once."""
    device, count = classes.device, len(classes)
    grid = tuple(max(4, side * CELLS // 32) for side in shape) if smooth else shape
    generator = torch.Generator().manual_seed(seed)
    low, high = START
    parts = [(low + (high - low) * torch.rand(count, 3, *grid, generator=generator)).to(device) for _ in range(2)]
    if smooth:
        # a variable stands for many pixels and its size for as many: the weight is shared out among them
        settings = replace(settings, size_weight=settings.size_weight * grid[0] * grid[1] / (shape[0] * shape[1]))
    return (Smooth if smooth else Additive)(classes, parts, settings, shape)
