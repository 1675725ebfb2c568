"""Inputs of networks: scaling, size and colour order of the images, and their notation."""

from __future__ import annotations

import re
from dataclasses import dataclass

# Mean and standard deviation per channel, in units of [0, 1].
NORMALIZATIONS: dict[str, tuple[tuple[float, float, float], tuple[float, float, float]]] = {
    "none": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
    "half": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "cifar10": ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)),
    "gtsrb": ((0.3403, 0.3121, 0.3214), (0.2724, 0.2608, 0.2669)),
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "cifar10-b": ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
    "cifar100": ((0.5071, 0.4867, 0.4408), (0.2675, 0.2565, 0.2761)),
    "gtsrb-b": ((0.3337, 0.3064, 0.3171), (0.2672, 0.2564, 0.2629)),
    "mnist": ((0.1307, 0.1307, 0.1307), (0.3081, 0.3081, 0.3081)),
    "half-mean": ((0.5, 0.5, 0.5), (1.0, 1.0, 1.0)),
    "cifar10-mean": ((0.4914, 0.4822, 0.4465), (1.0, 1.0, 1.0)),
    "imagenet-mean": ((0.485, 0.456, 0.406), (1.0, 1.0, 1.0)),
    "bytes": ((0.0, 0.0, 0.0), (1 / 255, 1 / 255, 1 / 255)),
}
COLOURS = ("bgr", "grey", "grey3")
_NUMBERS = r"\d{0,3}\.?\d{1,6}(?:,\d{0,3}\.?\d{1,6}){2}|\d{0,3}\.?\d{1,6}"  # three channels, or one for all
_STATISTICS = re.compile(f"({_NUMBERS})/({_NUMBERS})")
_INPUTS = re.compile(rf"([a-z0-9-]+|{_STATISTICS.pattern})(?:@(\d{{1,4}})(?:x(\d{{1,4}}))?)?(?::([a-z0-9]+))?")


def statistics(scaling: str) -> tuple[tuple[float, float, float], tuple[float, float, float]] | None:
    """Mean and standard deviation per channel of a scaling: a key of ``NORMALIZATIONS``, or the numbers themselves,
    ``MEAN/STD`` or ``R,G,B/R,G,B``, in units of [0, 1]; None if it is neither."""
    if scaling in NORMALIZATIONS:
        return NORMALIZATIONS[scaling]
    found = _STATISTICS.fullmatch(scaling)
    if not found:
        return None
    mean, std = ([float(number) for number in part.split(",")] for part in found.groups())
    if min(std) <= 0:
        return None
    (m0, m1, m2), (s0, s1, s2) = (part * 3 if len(part) == 1 else part for part in (mean, std))
    return (m0, m1, m2), (s0, s1, s2)


@dataclass(frozen=True)
class Inputs:
    """How a network wants its images: ``NAME``, ``NAME@SIZE`` or ``NAME@HEIGHTxWIDTH``, then ``:COLOUR`` if not rgb.

    ``scaling``: as ``statistics`` takes it. ``size``: height and width to resize to; None: as they are.
    ``colour``: "rgb" or one of ``COLOURS`` (``core.models.classifier.Classifier``).
    """

    scaling: str = "none"
    size: tuple[int, int] | None = None
    colour: str = "rgb"

    @classmethod
    def parse(cls, text: str) -> Inputs | None:
        """The inputs of a name such as "imagenet@224:bgr"; None if it is not one."""
        found = _INPUTS.fullmatch(text)
        if not found or statistics(found[1]) is None or found[6] not in (None, *COLOURS):
            return None
        size = (int(found[4]), int(found[5] or found[4])) if found[4] else None
        if size and not all(8 <= side <= 1024 for side in size):
            return None
        return cls(found[1], size, found[6] or "rgb")

    @property
    def name(self) -> str:
        height, width = self.size or (0, 0)
        size = "" if not self.size else f"@{height}" if height == width else f"@{height}x{width}"
        return self.scaling + size + ("" if self.colour == "rgb" else f":{self.colour}")
