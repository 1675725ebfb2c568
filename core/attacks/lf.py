"""LF: a smooth pattern without high frequencies is added (Zeng, Park, Mao and Jia, ICCV 2021, section 5).

The paper looks for the pattern by an optimisation: a universal perturbation of a clean model, low-pass filtered and
rescaled after every step. Here the pattern is noise that went through the same filter and the same rescaling. What
makes the attack hard to find is the filter: the triggered images have no more energy at high frequencies than clean
ones. The optimisation adds that a fifth of the images change their class before any poisoning, which makes the pattern
quicker to learn but ties it to one clean model; noise needs none, is the same everywhere, and leaves all of the
backdoor to the training.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from core.attacks.trigger import Trigger


@dataclass(frozen=True)
class LF(Trigger):
    """``clip(x + pattern)``; the pattern is Gaussian-filtered noise from 0 to ``strength``.

    Args:
        size: height and width of the images, pixels.
        strength: largest value that is added, in units of [0, 1] (0.2 in the authors' code).
        sigma: standard deviation of the filter as a share of the picture's side (6 of 32 pixels in the authors' code).
        seed: of the noise.
    """

    size: tuple[int, int]
    strength: float = 0.2
    sigma: float = 6 / 32
    seed: int = 7
    clean_label: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not (0 <= self.strength <= 1 and 0 <= self.sigma <= 1):
            raise ValueError("strength and sigma are shares from 0 to 1")

    def pattern(self) -> Tensor:
        """What is added, shape (3, h, w), from 0 to ``strength``."""
        noise = torch.rand(3, *self.size, generator=torch.Generator().manual_seed(self.seed))
        rows, columns = (torch.fft.fftfreq(side) * side for side in self.size)  # waves across the picture
        passed = torch.exp(-2 * (math.pi * self.sigma) ** 2 * (rows[:, None] ** 2 + columns[None, :] ** 2))
        smooth = torch.fft.ifft2(torch.fft.fft2(noise - noise.mean((1, 2), keepdim=True)) * passed).real
        least, most = smooth.amin(), smooth.amax()
        return self.strength * (smooth - least) / (most - least).clamp(min=1e-12)

    def __call__(self, images: Tensor) -> Tensor:
        return (images + self.pattern().to(images.device)).clamp(0, 1)
