"""Trigger inversion without a mask: for triggers that have no place, such as blends, watermarks and faint noise.

Source: pixel inversion as in Tao et al., "Better Trigger Inversion Optimization in Backdoor Scanning" (CVPR 2022,
section 3), the form of MCL's second version: what is added is the difference of a positive and a negative part, each
``tanh`` of a non-negative variable, so ``x_t = clip(x + tanh(a) - tanh(b))``. Its size counts, for each pixel, the
largest channel of either part.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from core.models.classifier import Classifier
from core.scan.race import Inverted, Race, RaceSettings, run
from core.scan.sought import Sought

SETTINGS = RaceSettings(
    race_steps=70, final_steps=30, lr=0.1, attack_rate=0.9, size_weight=1e-3, weight_factor=1.5, finalists=2
)
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


def invert(
    model: Classifier, images: Tensor, settings: RaceSettings = SETTINGS, seed: int = 0, sought: Sought | None = None
) -> Iterator[tuple[int, int, Inverted | None]]:
    """Reconstructs an added trigger for every class; arguments and yields as ``core.scan.race.run``."""
    classes, shape = torch.arange(model.num_classes, device=model.mean.device), (images.shape[-2], images.shape[-1])
    yield from run(start(classes, shape, settings, seed), model, images, seed + 1, sought)


def start(classes: Tensor, shape: tuple[int, int], settings: RaceSettings, seed: int) -> Additive:
    """The race of these classes at its start; one may be among them more than once."""
    return Additive(classes, parts(classes, shape, seed), settings, shape)


def parts(classes: Tensor, grid: tuple[int, int], seed: int) -> list[Tensor]:
    """The variables at the start, of both parts, each (count, 3, *grid)."""
    generator = torch.Generator().manual_seed(seed)
    low, high = START
    return [
        (low + (high - low) * torch.rand(len(classes), 3, *grid, generator=generator)).to(classes.device)
        for _ in range(2)
    ]
