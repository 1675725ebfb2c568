"""The user's own images: a folder with a folder per class, or an ``.npz`` file (see :mod:`core.data.npz`)."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from core.data.decode import decode, mixed_sizes
from core.data.imageset import ImageSet
from core.data.layout import layout
from core.data.npz import load_npz
from core.data.split import TRAIN_SHARE, stratified_split
from core.errors import BadInput
from core.paths import absolute

Progress = Callable[[int, int], None]
_AT_A_TIME = 256


def load(path: Path, seed: int = 0, progress: Progress | None = None) -> ImageSet:
    """The image set in a folder or an ``.npz`` file; see :func:`load_folder` and :func:`core.data.npz.load_npz`.

    Raises:
        BadInput: what these raise; ``folder_not_readable``.
    """
    if not os.path.isdir(path):
        return load_npz(path, seed)
    try:
        return load_folder(path, seed, progress)
    except OSError as error:
        raise BadInput(
            "folder_not_readable",
            f"The folder {error.filename or path} cannot be read ({error.strerror}); give one that you may open.",
            path=str(error.filename or path),
            reason=str(error.strerror),
        ) from error


def load_folder(path: Path, seed: int = 0, progress: Progress | None = None) -> ImageSet:
    """Images from class folders, or from class folders inside ``train`` and ``test``.

    Classes are numbered in the order of their names, or of their numbers where all names are numbers (torchvision's
    ``ImageFolder`` sorts these as text: 1, 10, 2; names as long as one another sort alike either way). A folder
    without ``train`` and ``test`` is split, 80 % of each class for training. Reading takes memory for the set twice,
    see :func:`core.data.decode.check_set_size`.

    Args:
        path: the folder.
        seed: of the split.
        progress: called with (files read, files in all).

    Raises:
        BadInput: as :func:`core.data.layout.layout` and :func:`core.data.decode.decode`;
            ``class_too_small_to_split``.
        OSError: a folder may not be opened.
    """
    name = _shown(absolute(path).name)
    parts = layout(path)
    if len(parts) == 1:
        classes, files, labels = parts[0]
        y = torch.tensor(labels)
        train, test = stratified_split(y, classes, TRAIN_SHARE, seed)
        x = decode(files, name, progress=progress)
        shown = tuple(map(_shown, classes))
        return ImageSet(name, _channels_first(x, train), y[train], _channels_first(x, test), y[test], shown)

    (classes, train_files, train_labels), (_, test_files, test_labels) = parts
    total = len(train_files) + len(test_files)

    def tell(offset: int) -> Progress | None:
        return None if progress is None else lambda done, _: progress(offset + done, total)

    x_train = decode(train_files, name, progress=tell(0), whole=total)
    x_test = decode(test_files, name, progress=tell(len(train_files)))
    if x_train.shape[1:3] != x_test.shape[1:3]:
        raise mixed_sizes(str(test_files[0]), x_test.shape[1:3], x_train.shape[1:3])
    return ImageSet(
        name=name,
        x_train=_channels_first(x_train, torch.arange(len(x_train))),
        y_train=torch.tensor(train_labels),
        x_test=_channels_first(x_test, torch.arange(len(x_test))),
        y_test=torch.tensor(test_labels),
        class_names=tuple(map(_shown, classes)),
    )


def _channels_first(x: np.ndarray, chosen: Tensor) -> Tensor:
    """Those of the images (n, h, w, 3) as (m, 3, h, w), a few at a time: indexing all would make another copy."""
    out = torch.empty(len(chosen), x.shape[3], *x.shape[1:3], dtype=torch.uint8)
    images = torch.from_numpy(x)
    for place in range(0, len(chosen), _AT_A_TIME):
        some = chosen[place : place + _AT_A_TIME]
        out[place : place + len(some)] = images[some].permute(0, 3, 1, 2)
    return out


def _shown(name: str) -> str:
    """A folder's name as text; bytes that are no UTF-8, as of Japanese names in Shift_JIS, as ``\\x93``."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
