"""The additive inversion (``core.scan.additive``) on a coarse grid, upsampled to the picture. This form is ours.

Blends and warps are smooth; a grid finds them with far smaller triggers than those of honest classes, where pixel by
pixel the two can hardly be told apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from core.models.classifier import Classifier
from core.scan import additive
from core.scan.additive import SETTINGS, Additive
from core.scan.race import Inverted, RaceSettings, run
from core.scan.sought import Sought

CELLS = 8  # grid points a side, on 32 px images: triggers coarser than four pixels


class Smooth(Additive):
    """Parts: as ``Additive``, (count, 3, cells, cells)."""

    form = "smooth"


def invert(
    model: Classifier, images: Tensor, settings: RaceSettings = SETTINGS, seed: int = 0, sought: Sought | None = None
) -> Iterator[tuple[int, int, Inverted | None]]:
    """Reconstructs a smooth trigger for every class; arguments and yields as ``core.scan.race.run``."""
    classes, shape = torch.arange(model.num_classes, device=model.mean.device), (images.shape[-2], images.shape[-1])
    yield from run(start(classes, shape, settings, seed), model, images, seed + 1, sought)


def start(classes: Tensor, shape: tuple[int, int], settings: RaceSettings, seed: int) -> Smooth:
    """The race of these classes at its start; one may be among them more than once."""
    grid = (max(4, shape[0] * CELLS // 32), max(4, shape[1] * CELLS // 32))
    # a variable stands for many pixels and its size for as many: the weight is shared out among them
    settings = replace(settings, size_weight=settings.size_weight * grid[0] * grid[1] / (shape[0] * shape[1]))
    return Smooth(classes, additive.parts(classes, grid, seed), settings, shape)
