"""Image sets in ``.npz`` files: arrays of numbers only, their headers judged before anything is unpacked."""

from __future__ import annotations

import io
import math
import os
import struct
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.lib import format as npy
from torch import Tensor

from core.data.archive import PACKINGS, Archive
from core.data.decode import SUFFIXES, check_set_size, mixed_sizes
from core.data.imageset import ImageSet
from core.data.split import TRAIN_SHARE, stratified_split
from core.errors import BadInput
from core.file_kinds import kind_of, kind_of_zip, refusal
from core.found import Found

SPLIT_KEYS = ("x_train", "y_train", "x_test", "y_test")
WHOLE_KEYS = ("x", "y")
NAMES_KEY = "class_names"
_MOST_CLASSES = 10_000
_MOST_ARRAYS = 1000  # in a file, of which six are looked at
_MOST_NAMED, _LONGEST_NAMED = 8, 120  # arrays, and letters of their names, in a sentence
_DIRECTORY = 2**20  # bytes of the list of them
_HEADER = 2**10  # bytes of an array's header at most, which takes 128; numpy would read as many as it claims
_UNREADABLE = (
    OSError, ValueError, TypeError, KeyError, EOFError, RuntimeError, ArithmeticError, SyntaxError, tokenize.TokenError,
    zipfile.BadZipFile, zlib.error, struct.error,
)  # fmt: skip


class Header(NamedTuple):
    """What an array will be, judged before it is read."""

    shape: tuple[int, ...]
    dtype: np.dtype


def load_npz(path: Path, seed: int = 0) -> ImageSet:
    """Images from ``x_train, y_train, x_test, y_test``, or from ``x, y``, which are split 80 to 20.

    Images are uint8, (n, h, w), (n, h, w, 1 or 3) or (n, 1 or 3, h, w); labels are whole numbers from 0, (n,) or
    (n, 1). ``class_names``, an array of strings in label order, is optional; else the labels are the names.

    Memory: an array is read only if all headers are in order, its file holds as many bytes as its header claims, and
    the whole set keeps to :func:`core.data.decode.check_set_size`; of a refused file no more than 2 MB are read, the
    list of arrays and the headers. Reading takes memory for the set twice.

    Args:
        path: the file.
        seed: of the split.

    Raises:
        BadInput: ``unreadable_npz`` or, where it is known what else the file is, as :func:`core.file_kinds.refusal`;
            ``npz_keys_missing``, ``npz_images``, ``npz_labels``, ``npz_lengths``, ``npz_class_names``,
            ``too_few_classes``, ``npz_class_missing``, ``class_too_small_to_split``, ``mixed_sizes`` or
            ``image_set_too_large``.
    """
    arrays, others = _read(path)
    keys = SPLIT_KEYS if SPLIT_KEYS[0] in arrays else WHOLE_KEYS
    images = [_images(arrays.pop(key)) for key in keys[::2]]
    labels = [_labels(path, key, arrays[key]) for key in keys[1::2]]
    names = _names(path, arrays.get(NAMES_KEY), 1 + max(int(y.max()) for y in labels))
    for key, y in zip(keys[1::2], labels, strict=True):
        counts = torch.bincount(y, minlength=len(names))
        if (counts == 0).any():
            raise _class_missing(path, key, int((counts == 0).nonzero()[0]), names)
    places = None
    if len(images) == 1:
        places = train, test = stratified_split(labels[0], names, TRAIN_SHARE, seed)
        images = [images[0][train], images[0][test]]
        labels = [labels[0][train], labels[0][test]]
    notes = []
    if others:
        text = f"Arrays of the file that are not part of an image set were left out: {others}."
        notes.append(Found("arrays_left_out", text, {"names": others}))
    return ImageSet(path.stem, images[0], labels[0], images[1], labels[1], names, places=places, notes=tuple(notes))


def _read(path: Path) -> tuple[dict[str, np.ndarray], str]:
    """The arrays of an image set, and the names of some others in the file; pickled objects are never read.

    Raises:
        BadInput: as ``load_npz``.
    """
    if not os.path.exists(path):
        raise BadInput("no_such_file", f"There is no file {path}.", path=str(path))
    if not os.path.isfile(path):  # from a pipe or a device one may read for ever
        raise _no_npz(path)
    try:
        with _opened(path) as file, zipfile.ZipFile(file) as archive:
            members = {m.filename.removesuffix(".npy"): m for m in archive.infolist() if m.filename.endswith(".npy")}
            if not members and (kind := kind_of_zip(archive.namelist(), (*SUFFIXES, ".parquet", ".tar"))):
                raise refusal(kind, str(path), "images")
            keys = _wanted(path, members)
            headers = {key: _header(archive, members[key]) for key in keys}
            for key, header in headers.items():
                _check(path, key, header)
            _check_together(path, headers)
            others = ", ".join(key for key in sorted(set(members) - set(keys))[:_MOST_NAMED] if key.isprintable())
            return {key: _array(archive, members[key]) for key in keys}, others[:_LONGEST_NAMED]
    except BadInput:
        raise
    except _UNREADABLE as error:
        raise _unreadable(path) from error


def _opened(path: Path) -> Archive:
    return Archive(path, _MOST_ARRAYS, _DIRECTORY, lambda: _unreadable(path))


def _unreadable(path: Path) -> BadInput:
    try:
        kind = kind_of(path)
    except OSError:
        kind = None
    if kind is not None:
        return refusal(kind, str(path), "images")
    return _no_npz(path)


def _no_npz(path: Path) -> BadInput:
    return BadInput(
        "unreadable_npz",
        f"{path} cannot be read as an .npz file; make one with numpy.savez or numpy.savez_compressed.",
        path=str(path),
    )


def _wanted(path: Path, members: dict[str, zipfile.ZipInfo]) -> list[str]:
    """The keys to read: the four of a split set or the two of a whole one, and the names if they are there."""
    keys = WHOLE_KEYS if set(WHOLE_KEYS) <= set(members) and not set(SPLIT_KEYS) <= set(members) else SPLIT_KEYS
    missing = [key for key in keys if key not in members]
    if missing:
        raise BadInput(
            "npz_keys_missing",
            f"{path} has no array {missing[0]}; needed are x_train, y_train, x_test and y_test, or x and y. "
            f"Found: {', '.join(sorted(members)[:10]) or 'nothing'}.",
            path=str(path),
            missing=", ".join(missing),
            found=", ".join(sorted(members)[:10]),
        )
    return [*keys, *({NAMES_KEY} & set(members))]


def _header(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Header:
    """Shape and type of an array, from the first bytes of its file, which must be able to hold it.

    Raises:
        ValueError: what no ``numpy.savez`` writes.
    """
    if member.compress_type not in PACKINGS:
        raise ValueError("packed in another way")
    with archive.open(member) as file:
        content = io.BytesIO(file.read(_HEADER))
    version = npy.read_magic(content)
    reader = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = reader(content)
    claimed = 0 if dtype.hasobject else math.prod(shape) * dtype.itemsize  # objects are refused by name, below
    if any(side < 0 for side in shape) or claimed + content.tell() > member.file_size:
        raise ValueError("shorter than its header claims")
    return Header(shape, dtype)


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    """The array whose header has been judged; read piece by piece, and no more than that."""
    with archive.open(member) as file:
        return npy.read_array(file, allow_pickle=False)


def _check_together(path: Path, headers: dict[str, Header]) -> None:
    """Judges what the arrays are to one another: a label for each image, one size of image, and the size of it all."""
    keys = WHOLE_KEYS if WHOLE_KEYS[0] in headers else SPLIT_KEYS
    sizes = {}
    for key_x, key_y in zip(keys[::2], keys[1::2], strict=True):
        x, y = headers[key_x].shape, headers[key_y].shape
        sizes[key_x] = _layout(x)
        if x[0] != y[0]:
            raise BadInput(
                "npz_lengths",
                f"{path} has {x[0]} images in {key_x} but {y[0]} labels in {key_y}; there must be one label for each "
                "image.",
                path=str(path), images_key=key_x, images=x[0], labels_key=key_y, labels=y[0],
            )  # fmt: skip
    first, *others = sizes.values()
    if others and others[0] != first:
        raise mixed_sizes(f"{path} (x_test)", others[0], first)
    check_set_size(sum(headers[key].shape[0] for key in keys[::2]), *first, str(path))


def _layout(shape: tuple[int, ...]) -> tuple[int, int]:
    """Height and width of images in any of the allowed shapes."""
    height, width = shape[1:3] if len(shape) == 3 or shape[3] in (1, 3) else shape[2:]
    return height, width


def _check(path: Path, key: str, header: Header) -> None:
    """Judges shape and dtype of an array that has not been unpacked yet."""
    shape, dtype = header.shape, header.dtype
    if key == NAMES_KEY:
        if dtype.kind not in "US" or len(shape) != 1 or not 2 <= shape[0] <= _MOST_CLASSES or dtype.itemsize > 4096:
            raise _names_error(path, f"an array of {dtype} of shape {shape}")
    elif key.startswith("x"):
        grey, colour = len(shape) == 3, len(shape) == 4 and (shape[3] in (1, 3) or shape[1] in (1, 3))
        if dtype != np.uint8 or not (grey or colour) or 0 in shape:
            raise BadInput(
                "npz_images",
                f"{path}: {key} is {dtype} of shape {shape}; images must be uint8 (0-255) of shape (n, h, w), "
                "(n, h, w, 3) or (n, 3, h, w), and at least one.",
                path=str(path),
                key=key,
                dtype=str(dtype),
                shape=str(shape),
            )
    elif dtype.kind not in "iu" or not (len(shape) == 1 or (len(shape) == 2 and shape[1] == 1)) or 0 in shape:
        raise _labels_error(path, key, f"{dtype} of shape {shape}")


def _images(array: np.ndarray) -> Tensor:
    """uint8, (n, 3, h, w), from any of the allowed shapes."""
    images = torch.from_numpy(array)
    if images.dim() == 3:
        images = images[:, None]
    elif images.shape[3] in (1, 3):
        images = images.permute(0, 3, 1, 2)
    return images.expand(-1, 3, -1, -1).contiguous()


def _labels(path: Path, key: str, array: np.ndarray) -> Tensor:
    """int64, (n,)."""
    lowest, highest = int(array.min()), int(array.max())
    if lowest < 0 or highest >= _MOST_CLASSES:
        raise _labels_error(path, key, f"{lowest} to {highest}")
    return torch.from_numpy(array.astype(np.int64).reshape(-1))


def _labels_error(path: Path, key: str, found: str) -> BadInput:
    return BadInput(
        "npz_labels",
        f"{path}: {key} is {found}; labels must be whole numbers from 0 to {_MOST_CLASSES - 1}, of shape (n,).",
        path=str(path),
        key=key,
        found=found,
        most=_MOST_CLASSES - 1,
    )


def _class_missing(path: Path, key: str, label: int, names: tuple[str, ...]) -> BadInput:
    return BadInput(
        "npz_class_missing",
        f"{path}: no label in {key} is {label} (class {names[label]}); labels count the classes from 0 without a gap, "
        "and each class needs at least one image in each part.",
        path=str(path), key=key, label=label, name=names[label],
    )  # fmt: skip


def _names(path: Path, array: np.ndarray | None, classes: int) -> tuple[str, ...]:
    if classes < 2 and array is None:
        raise BadInput(
            "too_few_classes", f"{path} has one class only; at least two are needed.", path=str(path), classes=1
        )
    if array is None:
        return tuple(str(label) for label in range(classes))
    names = tuple(n.decode("utf-8", "replace") if isinstance(n, bytes) else str(n) for n in array.tolist())
    if len(names) < classes or len(set(names)) < len(names):
        raise _names_error(path, f"{len(set(names))} different names for {classes} classes")
    return names


def _names_error(path: Path, found: str) -> BadInput:
    return BadInput(
        "npz_class_names",
        f"{path}: {NAMES_KEY} is {found}; it must be an array of strings, one different name for each class.",
        path=str(path),
        found=found,
    )
