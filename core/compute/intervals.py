"""Confidence intervals of shares that are measured on a sample of test images."""

from __future__ import annotations

import math
from typing import NamedTuple

Z = 1.959964  # 95 % of a normal distribution lie within this many standard deviations


class Interval(NamedTuple):
    """Percent."""

    low: float
    high: float


def wilson(percent: float, count: int) -> Interval | None:
    """The 95 % interval of a share (Wilson, JASA 22, 1927), valid near 0 and 100 % and for few images too.

    Args:
        percent: 0-100, as measured.
        count: images it was measured on.

    Returns:
        None where nothing was measured.
    """
    if count < 1 or math.isnan(percent):
        return None
    share, square = min(max(percent / 100, 0.0), 1.0), Z * Z
    middle = (share + square / (2 * count)) / (1 + square / count)
    reach = Z / (1 + square / count) * math.sqrt(share * (1 - share) / count + square / (4 * count * count))
    low, high = max(0.0, middle - reach), min(1.0, middle + reach)
    return Interval(100 * min(low, share), 100 * max(high, share))


def confidence_sequence(count: int, total: int) -> Interval:
    """The 95 % interval of a share that is looked at again and again while images come.

    The chance that it *ever* misses the true share, at any number of images, is 5 %; ``wilson`` promises that for one
    look alone. It is Robbins' mixture (Ann. Math. Stat. 41, 1970) with the prior Beta(1/2, 1/2): all shares whose
    likelihood ratio against the mixture has not come down to 1/20 (Ville's inequality).

    Args:
        count: images of the kind, of ``total`` images, at least 1.
    """
    others, share = total - count, count / total
    least = _log_beta(count + 0.5, others + 0.5) - _log_beta(0.5, 0.5) - math.log(20)

    def likely(value: float) -> bool:
        return (math.log(value) * count if count else 0.0) + (math.log1p(-value) * others if others else 0.0) >= least

    edges = []
    for outside in (0.0, 1.0):
        inside = share
        for _ in range(50):
            middle = (inside + outside) / 2
            if not 0.0 < middle < 1.0:
                break
            inside, outside = (middle, outside) if likely(middle) else (inside, middle)
        edges.append(inside)
    return Interval(100 * edges[0], 100 * edges[1])


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


MAX_IMAGES = 1_000_000  # larger numbers of images are not recommended to anybody


def enough_to_tell(percent: float, limit: float) -> int | None:
    """The number of images from which on a share is significantly below ``limit``: its whole interval lies below.

    Args:
        percent: 0-100, the share as measured.
        limit: percent.

    Returns:
        None if no number suffices: the share itself is not below the limit.
    """
    if not percent < limit:
        return None
    low, high = 0, 1
    while (found := wilson(percent, high)) is None or found.high >= limit:
        low, high = high, 2 * high
        if high > MAX_IMAGES:
            return None
    while high - low > 1:  # the interval narrows with every image
        middle = (low + high) // 2
        found = wilson(percent, middle)
        low, high = (low, middle) if found and found.high < limit else (middle, high)
    return high


def one_miss(count: int) -> float:
    """The upper end of the interval of one miss among ``count`` images, percent."""
    found = wilson(100 / count, count) if count > 0 else None
    return 100.0 if found is None else found.high


def images_for(limit: float) -> int:
    """The number of images from which on one miss among them leaves less than ``limit`` percent; by hand about 560 over
    the limit.

    Raises:
        ValueError: the limit is not above 0.
    """
    if not limit > 0:
        raise ValueError(f"limit is {limit}; it has to be above 0")
    low, high = 1, 2
    while one_miss(high) >= limit:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if one_miss(middle) < limit else (middle, high)
    return high
