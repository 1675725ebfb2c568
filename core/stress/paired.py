"""Paired tests: whether one model is significantly worse than another on the same images.

Only images that one model answers rightly and the other wrongly count (McNemar, Psychometrika 12, 1947). If the models
were equal, each such image would go to either of them with probability 1/2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

LEVEL = 0.05  # level of all tests of a comparison together


@dataclass(frozen=True)
class Paired:
    """``lost``: images that the first model answers rightly and the second wrongly; ``gained``: the other way round."""

    lost: int
    gained: int

    @classmethod
    def of(cls, first: Tensor, second: Tensor) -> Paired:
        """Args: first, second: bool (n,), which answers are right."""
        return cls(int((first & ~second).sum()), int((~first & second).sum()))

    @property
    def chance(self) -> float:
        """The chance of so many images lost, or more, were both models alike: the exact sign test, one-sided."""
        from scipy.stats import binomtest

        decided = self.lost + self.gained
        return float(binomtest(self.lost, decided, alternative="greater").pvalue) if decided else 1.0


def beyond_chance(chances: Sequence[float], level: float = LEVEL) -> list[bool]:
    """Which of several findings stand, with a chance of ``level`` that any of them is wrong (Holm, Scand. J. Stat. 6,
    1979): the worst of many figures is low by chance alone."""
    stands = [False] * len(chances)
    for rank, number in enumerate(sorted(range(len(chances)), key=lambda k: chances[k])):
        if chances[number] > level / (len(chances) - rank):
            break
        stands[number] = True
    return stands
