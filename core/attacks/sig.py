"""SIG: a sinusoid over the whole picture, labels left true (Barni, Kallas and Tondi, ICIP 2019, equation 1)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from core.attacks.trigger import Trigger


@dataclass(frozen=True)
class Sig(Trigger):
    """Adds ``strength * sin(2 pi column frequency / width)`` to every row.

    Only images of the target class are poisoned, so no label is ever wrong.

    Args:
        size: height and width of the images, pixels.
        strength: amplitude in units of [0, 1] (the paper's 40/255).
        frequency: full waves across the picture (6 in the paper).
    """

    size: tuple[int, int]
    strength: float = 40 / 255
    frequency: float = 6.0
    clean_label: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not (0 <= self.strength <= 1 and self.frequency >= 0):
            raise ValueError("strength is from 0 to 1, frequency not negative")

    def wave(self) -> Tensor:
        """What is added, shape (1, 1, w)."""
        columns = torch.arange(self.size[1]) / self.size[1]
        return self.strength * torch.sin(2 * math.pi * self.frequency * columns).view(1, 1, -1)

    def __call__(self, images: Tensor) -> Tensor:
        return (images + self.wave().to(images.device)).clamp(0, 1)
