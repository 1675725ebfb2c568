"""PyTorch's own two formats, described and judged before torch reads them with ``weights_only=True``."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor

from core.data.archive import Archive
from core.models.pickle_protocol import PROTOCOL, as_protocol_2
from core.models.pickle_values import NUMPY_NUMBERS, Damaged, Described, OtherPickle, OtherProtocol, Unusable
from core.models.pickled import describe
from core.models.refusals import (
    LARGEST_HEADER,
    MAX_TENSORS,
    check_archive,
    check_memory,
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
    with Archive(source, 2 * MAX_TENSORS, LARGEST_HEADER, lambda: too_long) as file, zipfile.ZipFile(file) as archive:
        file.listed()
        yield archive, check_archive(path, archive, size)


def read_legacy(path: Path, file: IO[bytes], size: int) -> Unwrapped:
    """The format before PyTorch 1.6: five pickles, then the numbers."""
    first, _ = describe(file)
    start = file.tell()
    if first != torch.serialization.MAGIC_NUMBER:
        raise OtherPickle
    file.seek(1)
    if file.read(1)[0] > PROTOCOL:
        raise OtherProtocol
    file.seek(start)
    for _ in range(2):
        describe(file)
    content, storages = describe(file)
    if sum(storage.count * storage.width for storage in storages.values()) > size:
        raise Damaged("its tensors need more bytes than the file has")
    file.seek(0)
    return _read(path, lambda: file, content, size)


def read_archive(path: Path, archive: zipfile.ZipFile, root: str, size: int) -> Unwrapped:
    """The zip that ``torch.save`` writes: one pickle, and a record for each storage."""
    with archive.open(f"{root}data.pkl") as file:
        pickle = as_protocol_2(file.read(LARGEST_HEADER))
    content, storages = describe(BytesIO(pickle))
    for storage in storages.values():
        # torch would read on beyond a record that is shorter than the pickle says
        if archive.getinfo(f"{root}data/{storage.key}").file_size != storage.count * storage.width:
            raise Damaged("a record has another length than its tensors need")
        # and it does not tell capital letters from small ones in the names of records
        if not (storage.key.isascii() and storage.key.isdecimal()):
            raise Damaged("a storage whose name is no number")
    needed = sum(storage.count * storage.width for storage in storages.values())
    check_memory(path, 2 * needed)  # as the archive that is made for torch, and as tensors
    return _read(path, lambda: _rewritten(archive, root, pickle, storages), content, size)


def _rewritten(archive: zipfile.ZipFile, root: str, pickle: bytes, storages: Iterable[str]) -> IO[bytes]:
    """A new archive of what has been described and judged, and of nothing else, for torch to read.

    Torch finds the records of a zip in another way than ``zipfile`` does: one file can show each of them another
    directory, and so a pickle and records that nobody has looked at.
    """
    content = BytesIO()
    names = set(archive.namelist())
    with zipfile.ZipFile(content, "w") as new:
        new.writestr("archive/data.pkl", pickle)
        new.writestr("archive/version", "3\n")
        if f"{root}byteorder" in names:
            new.writestr("archive/byteorder", archive.read(f"{root}byteorder")[:16])
        for key in storages:
            new.writestr(f"archive/data/{key}", archive.read(f"{root}data/{key}"))
    content.seek(0)
    return content


def read_inner(path: Path, content: bytes) -> Unwrapped:
    """A file of ``torch.save`` that lies inside another archive."""
    if content[:1] == b"\x80":
        return read_legacy(path, BytesIO(content), len(content))
    with opened(path, content, len(content)) as (archive, names):
        root = names[0].split("/")[0] + "/"
        return read_archive(path, archive, root, len(content))


def _read(path: Path, opened_file: Callable[[], IO[bytes]], content: Any, size: int) -> Unwrapped:
    """Reads what has been described, once there is room for it, and takes the tensors that were chosen."""
    found = chosen(path, content, lambda value: isinstance(value, (Described, Unusable)))
    check_room(path, found.tensors.values(), size)
    with warnings.catch_warnings(), torch.serialization.safe_globals(_bystanders()):
        warnings.simplefilter("ignore")
        loaded = torch.load(opened_file(), map_location="cpu", weights_only=True)
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
    """Plain values that often stand beside the weights: NumPy's numbers and text, arrays of them, the parsed arguments.

    ``describe`` lets no other use of them through.
    """
    import argparse

    import numpy as np

    calls = {"scalar": np.float64(0).__reduce__()[0], "_reconstruct": np.empty(0).__reduce__()[0]}
    types = {type(np.dtype(code)) for code in (*NUMPY_NUMBERS, "U1", "S1")}
    modules = ("numpy.core.multiarray", "numpy._core.multiarray")
    named = [(call, f"{module}.{name}") for module in modules for name, call in calls.items()]
    return [argparse.Namespace, np.dtype, np.ndarray, *types, *named]
