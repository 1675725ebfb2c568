"""The conditions of the test track, in plain values."""

from __future__ import annotations

from dataclasses import dataclass

STRENGTHS = (1, 2, 3, 4, 5)
CORRUPTIONS: dict[str, str] = {
    "gaussian_noise": "core.stress.noise:gaussian_noise",
    "shot_noise": "core.stress.noise:shot_noise",
    "impulse_noise": "core.stress.noise:impulse_noise",
    "gaussian_blur": "core.stress.blur:gaussian_blur",
    "motion_blur": "core.stress.blur:motion_blur",
    "zoom_blur": "core.stress.blur:zoom_blur",
    "snow": "core.stress.weather:snow",
    "rain": "core.stress.weather:rain",
    "fog": "core.stress.weather:fog",
    "brightness": "core.stress.weather:brightness",
    "contrast": "core.stress.digital:contrast",
    "pixelate": "core.stress.digital:pixelate",
    "jpeg": "core.stress.digital:jpeg",
    "elastic": "core.stress.digital:elastic",
    "dead_pixels": "core.stress.digital:dead_pixels",
}
"""The ``core.stress.corruption.Corruption`` of each, in the order in which they are shown."""

NAMES = tuple(CORRUPTIONS)
EPSILONS = (2, 8)  # largest change of a pixel value by the adversary, of 255


@dataclass(frozen=True)
class Settings:
    """How much is measured.

    ``count``: test images, at most. ``strengths``: of 1-5. ``attacked``: images that an adversary gets, at most.
    ``seed``: of the choice of images, the corruptions and the adversary's start. ``images``: a second folder of
    images of the same classes, taken elsewhere; None: there is none.
    """

    count: int = 1000
    strengths: tuple[int, ...] = STRENGTHS
    attacked: int = 200
    seed: int = 0
    images: str | None = None


def quick(seed: int = 0, images: str | None = None) -> Settings:
    """A first look: fewer images, three of the five strengths."""
    return Settings(count=300, strengths=(1, 3, 5), attacked=100, seed=seed, images=images)
