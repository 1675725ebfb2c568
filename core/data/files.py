"""The user's own images: a folder with a folder per class, or an ``.npz`` file (see :mod:`core.data.npz`)."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from core.data.decode import FORMATS, SUFFIXES, decode, mixed_sizes
from core.data.imageset import ImageSet
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
        BadInput: ``no_class_folders``, ``too_few_classes``, ``split_incomplete``, ``classes_differ``,
            ``class_folder_without_images``, ``class_too_small_to_split`` or what
            :func:`core.data.decode.decode` raises.
        OSError: a folder may not be opened.
    """
    name = _shown(absolute(path).name)
    parts = [path / part for part in ("train", "test") if _is_part(path / part)]
    if len(parts) == 1:
        missing = "test" if parts[0].name == "train" else "train"
        raise BadInput(
            "split_incomplete",
            f"{path} has a folder {parts[0].name} but none called {missing}; give both, or class folders alone.",
            path=str(path),
            missing=missing,
        )
    if not parts:
        classes, files, labels = _listing(path)
        y = torch.tensor(labels)
        train, test = stratified_split(y, classes, TRAIN_SHARE, seed)
        x = decode(files, name, progress=progress)
        shown = tuple(map(_shown, classes))
        return ImageSet(name, _channels_first(x, train), y[train], _channels_first(x, test), y[test], shown)

    (classes, train_files, train_labels), (others, test_files, test_labels) = (_listing(part) for part in parts)
    if classes != others:
        odd = sorted(set(classes) ^ set(others))[0]
        have, lack = ("train", "test") if odd in classes else ("test", "train")
        raise BadInput(
            "classes_differ",
            f"{path} has a class {odd} in {have} but not in {lack}; both need the same class folders.",
            path=str(path),
            name=odd,
            have=have,
            lack=lack,
        )
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


def _images(folder: Path) -> list[Path]:
    return sorted(f for f in folder.iterdir() if f.suffix.lower() in SUFFIXES and not f.name.startswith("."))


def _is_part(folder: Path) -> bool:
    """Whether a folder is a part of a set, and not a class that happens to be called "train" or "test"."""
    return folder.is_dir() and not _images(folder)


def _listing(folder: Path) -> tuple[list[str], list[Path], list[int]]:
    """The classes of a folder, all their files, and the class number of each file."""
    classes = [f.name for f in folder.iterdir() if f.is_dir() and not f.name.startswith((".", "__"))]
    if not classes:
        raise BadInput(
            "no_class_folders",
            f"{folder} has no class folders; put the images of each class into a folder of its own, named after the "
            "class.",
            path=str(folder),
        )
    if len(classes) < 2:
        raise BadInput(
            "too_few_classes",
            f"{folder} has one class only, {classes[0]}; at least two are needed.",
            path=str(folder),
            classes=1,
        )
    numbered = all(name.isdecimal() for name in classes)
    classes.sort(key=lambda name: (int(name) if numbered else 0, name))
    files: list[Path] = []
    labels: list[int] = []
    for label, name in enumerate(classes):
        found = _images(folder / name)
        if not found:
            raise BadInput(
                "class_folder_without_images",
                f"Class {name} has no images in {folder}; put its {', '.join(FORMATS)} files into the folder "
                f"{name} itself, not into folders below it.",
                name=name,
                path=str(folder),
                formats=", ".join(FORMATS),
            )
        files += found
        labels += [label] * len(found)
    return classes, files, labels
