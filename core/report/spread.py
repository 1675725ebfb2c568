"""Several measurements of one thing, such as one figure under several seeds: the mean and how far they lie apart."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple


class Spread(NamedTuple):
    """``low`` and ``high`` are the least and the greatest value: of three to five runs a deviation would say little."""

    mean: float
    low: float
    high: float
    runs: int


def spread(values: Iterable[float | None]) -> Spread | None:
    """Of the values that are there and are numbers; None where there is none."""
    known = [value for value in values if value is not None and math.isfinite(value)]
    if not known:
        return None
    return Spread(math.fsum(known) / len(known), min(known), max(known), len(known))
