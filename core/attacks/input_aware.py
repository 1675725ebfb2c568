"""Input-aware: a generator makes place and colours of the trigger from the image (Nguyen and Tran, NeurIPS 2020).

The paper (section 3) trains two generators, of a mask and of a pattern, together with the classifier, under a loss that
wants different triggers for different images; and it trains the classifier to keep the true label where an image
carries the trigger of *another* image (cross-trigger), so that each trigger is good for its own image only.

Here both generators are one small network with fixed weights drawn from a seed, and the classifier alone is trained: on
its triggers, and on cross-triggers as cover images. A generator that grows with a classifier could not be made again
from a victim's card, which holds settings and no weights, and it would differ from machine to machine. What the losses
are for is built in instead:

- *Diversity.* Place and colours are a function of the image's own colours, centred and scaled image by image.
- *Size of the mask* (the paper's density of 0.032): of each of eight regions, the one cell with the highest score is
  painted: 8 of 256 cells.
- *Cross-triggers can be told from an image's own*, since the generator sees the colours around a cell, which stay
  visible. In the paper the generator learns to make this easy.

So the triggers are as different and as small as the paper's, but not adversarial: they do nothing to a clean model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from core.attacks.trigger import Trigger

CELLS, REGION = 16, (8, 4)  # cells along a side of the picture; height and width of a region, in cells
WIDTH, SHARP = 16, 4.0  # channels of the generator; how close to pure its colours are


@dataclass(frozen=True)
class InputAware(Trigger):
    """``(1 - m(x)) x + m(x) p(x)``.

    Args:
        size: height and width of the images, pixels.
        cover_rate: cross-trigger images for each poisoned image (1 in the paper).
        seed: of the generator's weights.
    """

    size: tuple[int, int]
    cover_rate: float = 1.0
    seed: int = 7
    clean_label: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not self.cover_rate >= 0:
            raise ValueError("cover_rate is not negative")

    def mask_and_pattern(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Opacity (n, 1, h, w) and pixels (n, 3, h, w) of the trigger of each image, in [0, 1]."""
        generator = torch.Generator().manual_seed(self.seed)
        first = torch.randn(WIDTH, 3, 1, 1, generator=generator)
        shift = torch.randn(WIDTH, generator=generator)
        second = torch.randn(4, WIDTH, 1, 1, generator=generator) / WIDTH**0.5
        first, shift, second = (part.to(images.device) for part in (first, shift, second))
        around = F.avg_pool2d(F.pad(F.adaptive_avg_pool2d(images, CELLS), (1,) * 4, mode="replicate"), 3, 1)
        spread = around.std((1, 2, 3), keepdim=True).clamp(min=1e-3)
        seen = (around - around.mean((1, 2, 3), keepdim=True)) / spread
        answer = F.conv2d(torch.tanh(F.conv2d(seen, first, shift)), second)
        score, colours = answer[:, :1], torch.sigmoid(SHARP * answer[:, 1:])
        _, best = F.max_pool2d(score, REGION, return_indices=True)
        mask = torch.zeros_like(score).flatten(1).scatter_(1, best.flatten(1), 1.0).view_as(score)
        return F.interpolate(mask, self.size, mode="area"), F.interpolate(colours, self.size, mode="area")

    def __call__(self, images: Tensor) -> Tensor:
        mask, pattern = self.mask_and_pattern(images)
        return images + mask * (pattern - images)

    def covers(self, images: Tensor, generator: Generator) -> Tensor:
        """Each image with the trigger of another one (of itself mirrored, where there is no other)."""
        others = images.flip(3)
        if len(images) > 1:
            others = images.roll(int(torch.randint(1, len(images), (1,), generator=generator)), 0)
        mask, pattern = self.mask_and_pattern(others)
        return images + mask * (pattern - images)
