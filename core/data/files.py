"""The user's own images: a folder with a folder per class, or an ``.npz`` file (see :mod:`core.data.npz`)."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from core.compute.intervals import wilson
from core.data.decode import Seen, decode
from core.data.imageset import ImageSet
from core.data.layout import MAX_ENDINGS, Layout, kinds_of, layout
from core.data.npz import load_npz
from core.data.split import TRAIN_SHARE, stratified_split
from core.errors import BadInput
from core.found import Found
from core.paths import absolute

Progress = Callable[[int, int], None]
AT_A_TIME = 256  # images that are turned channels first
UNEQUAL = 5  # ratio of the largest to the smallest class, from which on a note is given
DARK = 64  # of 256 values: below this even the brightest picture of a set looks black
FEW_TEST = 200  # test images, below which a note is given


def load(path: Path, seed: int = 0, progress: Progress | None = None) -> ImageSet:
    """The image set in a folder or an ``.npz`` file; see :func:`load_folder` and :func:`core.data.npz.load_npz`.

    Raises:
        BadInput: what these raise; ``folder_not_readable``.
    """
    if not os.path.isdir(path):
        return _sized(load_npz(path, seed))
    try:
        return _sized(load_folder(path, seed, progress))
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
    without ``train`` and ``test`` (or other names for these) is split, 80 % of each class for training. What is left
    out or read otherwise than it lies there is told in ``ImageSet.notes``. Reading takes memory for the set twice, see
    :func:`core.data.decode.check_set_size`.

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
    found = layout(path)
    first = found.parts[0]
    files = [file for part in found.parts for file in part.files]
    y = torch.tensor([label for part in found.parts for label in part.labels])
    if len(found.parts) == 1:
        train, test = stratified_split(y, first.classes, TRAIN_SHARE, seed)
    else:
        train, test = torch.arange(len(files)).tensor_split([len(first.files)])
    seen = Seen()
    x = decode(files, name, progress=progress, seen=seen)
    return ImageSet(
        name=name,
        x_train=_channels_first(x, train),
        y_train=y[train],
        x_test=_channels_first(x, test),
        y_test=y[test],
        class_names=tuple(map(_shown, first.classes)),
        notes=tuple(_notes(found, seen)),
        files=tuple(files),
        places=(train, test) if len(found.parts) == 1 else None,
        bits=seen.bits if seen.deep else None,
    )


def _sized(images: ImageSet) -> ImageSet:
    """The set with notes on what figures taken on it can say."""
    counts = torch.bincount(images.y_train, minlength=images.num_classes)
    least, most = int(counts.argmin()), int(counts.argmax())
    notes = list(images.notes)
    if counts[most] > UNEQUAL * counts[least]:
        small, large = images.class_names[least], images.class_names[most]
        text = (
            f"The classes are unequal, from {counts[least]} training images ({small}) to {counts[most]} ({large}): "
            f"accuracy says mostly how {large} is read, and little of {small}."
        )
        facts: dict[str, str | int | float] = {
            "least": int(counts[least]),
            "small": small,
            "most": int(counts[most]),
            "large": large,
        }
        notes.append(Found("unequal", text, facts))
    brightest = max(int(part.max()) for part in (images.x_train, images.x_test))
    if 0 < brightest < DARK:
        text = (
            f"No pixel is brighter than {brightest} of 255, so the images look black here. If their values are meant "
            f"to run from 0 to {brightest}, scale them to 0 to 255: they will then be shown and scanned as intended."
        )
        notes.append(Found("dark", text, {"most": brightest}))
    if (count := len(images.y_test)) < FEW_TEST:
        interval = wilson(90.0, count)
        assert interval is not None
        low, high = round(interval.low), round(interval.high)
        text = f"There are only {count} test images: where 90 % of them are right, chance allows for {low} to {high} %."
        notes.append(Found("few_test", text, {"count": count, "low": low, "high": high}))
    return replace(images, notes=tuple(notes))


def _notes(found: Layout, seen: Seen) -> Iterator[Found]:
    """Notes on files that were left out or converted."""
    others = sum((part.others for part in found.parts), Counter[str]())
    if count := others.total():
        kinds = kinds_of(others)
        total = count + sum(len(part.files) for part in found.parts)
        text = f"{count} of {total} files in the class folders are no images that are read, and were left out: {kinds}."
        yield Found("left_out", text, {"count": count, "total": total, "kinds": kinds})
    if found.unused:
        names = ", ".join(map(_shown, found.unused[:MAX_ENDINGS]))
        yield Found("unused", f"Folders beside those of training and test were left out: {names}.", {"names": names})
    if count := found.loose:
        yield Found("loose", f"{count} images beside the class folders were left out.", {"count": count})
    if found.alike:
        names = ", ".join(map(_shown, found.alike[:MAX_ENDINGS]))
        text = f"Classes whose names differ only in capitals or spaces are kept apart: {names}."
        yield Found("alike", text, {"names": names})
    if count := sum(part.below for part in found.parts):
        text = f"{count} images in folders below their class's were counted as the class's."
        yield Found("below", text, {"count": count})
    if count := len(seen.turned):
        yield Found("turned", f"{count} images were turned upright, as their EXIF data says.", {"count": count})
    if count := len(seen.paged):
        text = f"{count} files hold several pictures (pages or frames); of each, the first was read."
        yield Found("paged", text, {"count": count})
    if seen.deep and seen.bits < 16:
        most, count = max(seen.most), len(seen.deep)
        text = f"{count} pictures of 16 bits hold no value above {most}, and were read as pictures of {seen.bits} bits."
        yield Found("bits", text, {"count": count, "most": most, "bits": seen.bits})


def _channels_first(x: np.ndarray, chosen: Tensor) -> Tensor:
    """Those of the images (n, h, w, 3) as (m, 3, h, w), a few at a time: indexing all would make another copy."""
    out = torch.empty(len(chosen), x.shape[3], *x.shape[1:3], dtype=torch.uint8)
    images = torch.from_numpy(x)
    for place in range(0, len(chosen), AT_A_TIME):
        some = chosen[place : place + AT_A_TIME]
        out[place : place + len(some)] = images[some].permute(0, 3, 1, 2)
    return out


def _shown(name: str) -> str:
    """A folder's name as text; bytes that are no UTF-8, as of Japanese names in Shift_JIS, as ``\\x93``."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
