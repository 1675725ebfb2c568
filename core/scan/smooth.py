"""The additive inversion on a coarse grid, upsampled to the images.

This form is not from a paper: a and b of ``core.scan.additive`` are defined on a coarse grid and the difference is
upsampled. Blends and warps are smooth. On the grid their triggers are far smaller than those of honest classes; pixel
by pixel the two hardly differ (NOTES.md beside this file).
"""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from core.scan import additive
from core.scan.additive import Additive
from core.scan.inversion import InversionSettings

SETTINGS = additive.SETTINGS
GRID_CELLS = 8  # grid points along a side of 32 pixels: one per four pixels
MIN_GRID_CELLS = 4


class Smooth(Additive):
    """Form "smooth". Parts: a and b on a grid, each (count, 3, cells, cells)."""

    form = "smooth"


def start(classes: Tensor, shape: tuple[int, int], settings: InversionSettings, seed: int) -> Smooth:
    """The inversion for these classes before its first step; a class may occur more than once."""
    h, w = shape
    grid = (max(MIN_GRID_CELLS, h * GRID_CELLS // 32), max(MIN_GRID_CELLS, w * GRID_CELLS // 32))
    # a variable counts for many pixels in the size, so its weight is divided by their number
    settings = replace(settings, size_weight=settings.size_weight * grid[0] * grid[1] / (h * w))
    return Smooth(classes, additive.parts(classes, grid, seed), settings, shape)
