"""Trigger inversion without a mask, for triggers all over the image: blends, watermarks, faint noise.

Form "pixel" is that of Tao et al., "Better Trigger Inversion Optimization in Backdoor Scanning" (CVPR 2022, section 3),
which MCL's second version uses: ``x_t = clip(x + tanh(a) - tanh(b))`` with non-negative variables a and b. The size of
a trigger is the sum over the pixels of the largest channel of ``tanh(a)``, plus the same of ``tanh(b)``.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from core.scan.inversion import Inversion, InversionSettings

SETTINGS = InversionSettings(
    main_steps=70, refinement_steps=30, lr=0.1, attack_rate=0.9, size_weight=1e-3, weight_factor=1.5, refined_classes=2
)
START = (0.01, 0.03)  # range of the initial values of a and b: nearly nothing is added
MAX_VARIABLE = 3.0  # tanh(3) = 0.995: nearly the full range, and the gradient does not vanish


class Additive(Inversion):
    """Form "pixel". Parts: a and b, each (count, 3, h, w); in the form "smooth" on a coarser grid."""

    form = "pixel"

    def __init__(
        self, classes: Tensor, parts: list[Tensor], settings: InversionSettings, shape: tuple[int, int]
    ) -> None:
        super().__init__(classes, parts, settings)
        self.shape = shape
        self.pixels_per_variable = shape[0] * shape[1] / parts[0][0, 0].numel()

    def added(self, parts: list[Tensor]) -> Tensor:
        """What is added to the images, (count, 3, h, w), -1 to 1."""
        positive, negative = (part.tanh() for part in parts)
        difference = positive - negative
        if difference.shape[-2:] == self.shape:
            return difference
        return F.interpolate(difference, self.shape, mode="bicubic", align_corners=False)

    def stamped(self, images: Tensor, parts: list[Tensor]) -> Tensor:
        return (images[None] + self.added(parts)[:, None]).clamp(0, 1)

    def size(self, parts: list[Tensor]) -> Tensor:
        positive, negative = (part.tanh().amax(1).sum((1, 2)) for part in parts)
        return self.pixels_per_variable * (positive + negative)

    def constrain(self) -> None:
        for part in self.parts:
            part.clamp_(0, MAX_VARIABLE)

    def result(self, parts: list[Tensor]) -> tuple[Tensor | None, Tensor]:
        return None, self.added(parts)


def start(classes: Tensor, shape: tuple[int, int], settings: InversionSettings, seed: int) -> Additive:
    """The inversion for these classes before its first step; a class may occur more than once."""
    return Additive(classes, parts(classes, shape, seed), settings, shape)


def parts(classes: Tensor, grid: tuple[int, int], seed: int) -> list[Tensor]:
    """The initial values of a and b, each (count, 3, *grid)."""
    generator = torch.Generator().manual_seed(seed)
    low, high = START
    return [
        (low + (high - low) * torch.rand(len(classes), 3, *grid, generator=generator)).to(classes.device)
        for _ in range(2)
    ]
