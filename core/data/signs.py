"""``signs``: twelve European road signs in all weathers, drawn by our own code, offline and always the same."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from core.data.drawn import keep_drawn, read_drawn
from core.data.imageset import ImageSet
from core.data.signs_faces import CLASS_NAMES, face
from core.data.signs_scene import COLUMNS, FACE_PIXELS, photograph
from core.paths import cache_folder

__all__ = ["CLASS_NAMES", "SIZES", "VERSION", "draw", "face", "labels", "load"]

Split = Literal["train", "test"]
SIZES: dict[Split, int] = {"train": 12_000, "test": 3_000}
SIDE = 32  # pixels
VERSION = 1  # must rise with any change of a pixel; otherwise old caches are used and the victims' cards are wrong
MEAN = (0.5, 0.5, 0.5)
STD = (0.25, 0.25, 0.25)
_PORTION = 3_000  # images between two reports of progress
_SPLIT_SEEDS: dict[Split, int] = {"train": 11, "test": 23}


@lru_cache(maxsize=1)
def _faces() -> Tensor:
    """All faces as premultiplied RGBA in 0-1, (classes, 4, FACE_PIXELS, FACE_PIXELS)."""
    sheets = np.stack([np.asarray(face(index, FACE_PIXELS)) for index in range(len(CLASS_NAMES))])
    faces = torch.from_numpy(sheets).permute(0, 3, 1, 2).float() / 255
    faces[:, :3] *= faces[:, 3:]
    return faces


@lru_cache(maxsize=4)
def _table(split: Split, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(1_000_003 * seed + _SPLIT_SEEDS[split])
    return torch.rand(SIZES[split], COLUMNS, generator=generator)


def labels(split: Split) -> Tensor:
    """Class of each image of a split, int64: the classes take turns, so any run of images is balanced."""
    return torch.arange(SIZES[split]) % len(CLASS_NAMES)


def draw(indices: Tensor, split: Split, seed: int = 0) -> Tensor:
    """Some images of a split, the same pixels as in the whole set.

    Args:
        indices: int64, (n,), positions in the split; any order, repeats allowed.
        split: "train" or "test".
        seed: each seed is another set of photographs of the same signs.

    Returns:
        uint8, (n, 3, 32, 32).
    """
    return photograph(_table(split, seed)[indices], labels(split)[indices], _faces())


def cache_file(seed: int) -> Path:
    """Where the images are kept once they are drawn."""
    return cache_folder() / f"signs-v{VERSION}-seed{seed}.npz"


def load(seed: int = 0, progress: Callable[[int, int], None] | None = None) -> ImageSet:
    """All 12,000 training and 3,000 test images, 32 x 32.

    Drawn in a few seconds the first time, then kept in the cache folder; a cache that cannot be read or written is
    done without.

    Args:
        seed: which set of photographs; 0 is the one the shipped victims know.
        progress: called with (images done, images in all).
    """
    path = cache_file(seed)
    images = read_drawn(path, {split: (size, 3, SIDE, SIDE) for split, size in SIZES.items()})
    if images is None:
        images, done = {}, 0
        for split, size in SIZES.items():
            parts = []
            for indices in torch.arange(size).split(_PORTION):
                parts.append(draw(indices, split, seed))
                done += len(indices)
                if progress is not None:
                    progress(done, sum(SIZES.values()))
            images[split] = torch.cat(parts)
        keep_drawn(path, images)
    return ImageSet(
        name="signs",
        x_train=images["train"],
        y_train=labels("train"),
        x_test=images["test"],
        y_test=labels("test"),
        class_names=CLASS_NAMES,
        mean=MEAN,
        std=STD,
        own=True,
    )
