"""An image set: labelled images in memory, split into train and test."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from core.found import Found


@dataclass(frozen=True)
class ImageSet:
    """Labelled images, train and test.

    Attributes:
        name: stable id ("signs", "digits", "cifar10", "gtsrb", or the stem of the user's path).
        x_train, x_test: images, uint8, shape (n, 3, height, width), RGB, 0-255.
        y_train, y_test: class of each image, int64, shape (n,), 0 .. num_classes - 1.
        class_names: one name per class, in label order.
        mean, std: per-channel statistics the shipped victims of this set normalise with, in units of [0, 1].
        own: True if the pixels may be shipped with recordings (drawn by us, or free like the digits).
        notes: what was left out or changed as the user's own files were read.
        files: of a folder, the file of each image in the order they were listed: training images first, or, where
            ``places`` is given, as it counts them.
        bits: that the values of its grey pictures of 16 bits were taken for; None where it has no such pictures.
        places: of a set that came without a test part, which image of the whole set each one of train and of test is.
    """

    name: str
    x_train: Tensor
    y_train: Tensor
    x_test: Tensor
    y_test: Tensor
    class_names: tuple[str, ...]
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    std: tuple[float, float, float] = (0.5, 0.5, 0.5)
    own: bool = field(default=False)
    notes: tuple[Found, ...] = ()
    files: tuple[Path, ...] = ()
    places: tuple[Tensor, Tensor] | None = None
    bits: int | None = None

    @property
    def num_classes(self) -> int:
        return len(self.class_names)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return int(self.x_test.shape[-2]), int(self.x_test.shape[-1])


def as_float(images: Tensor) -> Tensor:
    """uint8 images to float32 in [0, 1]; float images pass through."""
    return images.float().div_(255.0) if images.dtype == torch.uint8 else images
