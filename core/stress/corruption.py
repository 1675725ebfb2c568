"""What a corruption is: a function of images, and how strong it is at each of five strengths.

Strengths are published for pictures of 32 and of 224 pixels a side (``core.stress.corruptions``); a size between them
takes a strength between them (linear in the logarithm of the smaller side), and smaller or larger pictures take those
of the nearer end. Lengths are shares of the smaller side.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

Level = tuple[float, ...]
SMALL, LARGE = 32, 224  # pixels a side for which strengths are published


@dataclass(frozen=True)
class Corruption:
    """``make(x, *level)`` corrupts float images (n, c, h, w) in [0, 1], drawing from torch's own generator.

    ``small``, ``large``: a level for each strength, for pictures of ``SMALL`` and of ``LARGE`` pixels a side.
    """

    make: Callable[..., Tensor]
    small: tuple[Level, ...]
    large: tuple[Level, ...]

    def level(self, strength: int, side: int) -> Level:
        """What ``make`` takes for pictures whose smaller side is ``side`` pixels."""
        share = math.log(min(max(side, SMALL), LARGE) / SMALL) / math.log(LARGE / SMALL)
        pairs = zip(self.small[strength - 1], self.large[strength - 1], strict=True)
        return tuple(low + share * (high - low) for low, high in pairs)


def corruption(small: tuple[Level, ...], large: tuple[Level, ...]) -> Callable[[Callable[..., Tensor]], Corruption]:
    """Makes a corruption of the function below it."""
    return lambda make: Corruption(make, small, large)


def each(*values: float) -> tuple[Level, ...]:
    """Levels of one number each."""
    return tuple((value,) for value in values)


def shares(side: int, *lengths: Level) -> tuple[Level, ...]:
    """Levels of lengths in pixels of a picture of so many a side, as shares of it."""
    return tuple(tuple(length / side for length in level) for level in lengths)
