"""A stand-in for SSBA: a faint addition that is another one for every image (after Li et al., ICCV 2021, section 4).

It is **not** SSBA itself. The paper hides a short message in each image with an encoder and decoder that are trained
as a steganographic pair (StegaStamp), on the images at hand. Here the encoder is a convolutional network with fixed
weights drawn from a seed. Kept: the addition is computed from the image and a message; it follows the content of the
image, so that no two images get the same; and it is as faint (the paper reports a peak signal-to-noise ratio of 27 dB).
Lost: nobody could read the message back, and the addition hides less well in textures than a trained one. For a
defence the first three count: there is no one pattern that could be reconstructed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from core.attacks.trigger import Trigger

CHANNELS, CELLS, BITS = 16, 8, 100  # of the network; of the message's plane, a side; of the message


@dataclass(frozen=True)
class SampleSpecific(Trigger):
    """``clip(x + r(x))`` where ``r`` has the same root mean square for every image.

    Args:
        size: height and width of the images, pixels.
        strength: root mean square of what is added, in units of [0, 1] (0.04 is 28 dB).
        common: how much of the message is laid over the image whatever it shows, against 1 that follows its content.
        seed: of the network and the message.
    """

    size: tuple[int, int]
    strength: float = 0.04
    common: float = 0.25
    seed: int = 7
    clean_label: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not (0 <= self.strength <= 1 and self.common >= 0):
            raise ValueError("strength is from 0 to 1, common is not negative")

    def residual(self, images: Tensor) -> Tensor:
        """What is added to each image, float, (n, 3, h, w), root mean square ``strength``."""
        generator = torch.Generator().manual_seed(self.seed)

        def drawn(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=generator).to(images.device)

        into, out = drawn(CHANNELS, 3, 3, 3), drawn(3, CHANNELS, 3, 3)
        message = drawn(BITS).sign() @ drawn(BITS, CHANNELS * CELLS**2) / BITS**0.5
        plane = F.interpolate(message.view(1, CHANNELS, CELLS, CELLS), self.size, mode="bilinear", align_corners=False)
        into = into - into.mean((1, 2, 3), keepdim=True)  # sees contours and colours, not brightness
        content = torch.tanh(F.conv2d(F.pad(images, (1,) * 4, mode="replicate"), into))
        raw = F.conv2d(F.pad((content + self.common) * plane, (1,) * 4, mode="replicate"), out)
        raw = raw - raw.mean((1, 2, 3), keepdim=True)
        return self.strength * raw / raw.square().mean((1, 2, 3), keepdim=True).sqrt().clamp(min=1e-12)

    def __call__(self, images: Tensor) -> Tensor:
        return (images + self.residual(images)).clamp(0, 1)
