"""PyTorch's own two formats, described and judged before torch reads them with ``weights_only=True``."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor

from core.data.archive import Archive
from core.models.pickle_values import NUMPY_NUMBERS, Damaged, Described, Unusable
from core.models.pickled import describe
from core.models.refusals import (
    LARGEST_HEADER,
    MOST_TENSORS,
    check_archive,
    check_room,
    chosen,
    is_plain,
    odd_tensor,
)
from core.models.unwrap import Unwrapped


@contextmanager
def opened(path: Path, source: Path | bytes, size: int) -> Iterator[tuple[zipfile.ZipFile, list[str]]]:
    """A zip of ``size`` bytes and the names in it, once its directory has been judged: its length first, then itself.

    Raises:
        Damaged: it lists no records, too many, or two of the same name.
        BadInput: the records are too large.
    """
    too_long = Damaged("its directory has no entries, or too many")
    with Archive(source, 2 * MOST_TENSORS, LARGEST_HEADER, lambda: too_long) as file, zipfile.ZipFile(file) as archive:
        file.listed()
        yield archive, check_archive(path, archive, size)


def read_legacy(path: Path, file: IO[bytes], size: int) -> Unwrapped:
    """The format before PyTorch 1.6: five pickles, then the numbers."""
    first, _ = describe(file)
    if first != torch.serialization.MAGIC_NUMBER:
        raise Damaged("it is a pickle, but not one of PyTorch")
    for _ in range(2):
        describe(file)
    content, storages = describe(file)
    if sum(storage.count * storage.width for storage in storages.values()) > size:
        raise Damaged("its tensors need more bytes than the file has")
    return _read(path, file, content, size)


def read_archive(path: Path, archive: zipfile.ZipFile, root: str, file: IO[bytes], size: int) -> Unwrapped:
    """The zip that ``torch.save`` writes: one pickle, and a record for each storage."""
    with archive.open(f"{root}data.pkl") as pickle:
        content, storages = describe(BytesIO(pickle.read(LARGEST_HEADER)))
    for storage in storages.values():
        # torch would read on beyond a record that is shorter than the pickle says
        if archive.getinfo(f"{root}data/{storage.key}").file_size != storage.count * storage.width:
            raise Damaged("a record has another length than its tensors need")
    return _read(path, file, content, size)


def read_inner(path: Path, content: bytes) -> Unwrapped:
    """A file of ``torch.save`` that lies inside another archive."""
    file = BytesIO(content)
    if content[:1] == b"\x80":
        return read_legacy(path, file, len(content))
    with opened(path, content, len(content)) as (archive, names):
        root = names[0].split("/")[0] + "/"
        return read_archive(path, archive, root, file, len(content))


def _read(path: Path, file: IO[bytes], content: Any, size: int) -> Unwrapped:
    """Reads what has been described, and takes the tensors that were chosen."""
    found = chosen(path, content, lambda value: isinstance(value, (Described, Unusable)))
    check_room(path, found.tensors.values(), size)
    file.seek(0)
    with warnings.catch_warnings(), torch.serialization.safe_globals(_bystanders()):
        warnings.simplefilter("ignore")
        loaded = torch.load(file, map_location="cpu", weights_only=True)
    for key in found.path:
        loaded = loaded[key]
    tensors = {}
    for name, described in found.tensors.items():
        value = loaded[name]
        if not isinstance(value, Tensor) or tuple(value.shape) != described.shape:
            raise Damaged("torch reads other tensors in it than it describes")
        if not is_plain(value):
            raise odd_tensor(path, name)
        tensors[name] = value.detach()
    return Unwrapped(found.path, tensors, found.beside, found.averaged, found.only_averaged)


def _bystanders() -> list[Any]:
    """Plain values that often stand beside the weights: an accuracy as a NumPy number, the parsed arguments.

    ``describe`` lets no other use of them through.
    """
    import argparse

    import numpy as np

    scalar = np.float64(0).__reduce__()[0]
    types = {type(np.dtype(code)) for code in NUMPY_NUMBERS}
    names = ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar")
    return [argparse.Namespace, np.dtype, *types, *((scalar, name) for name in names)]
