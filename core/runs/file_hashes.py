"""SHA-256 of weights, of images and of any other file. A run is bound to its files by these (``core.runs.hashes``)."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path

from core.data.layout import layout
from core.shards import shards

Stamp = tuple[str, int, int, int]  # path, size, modification time (ns), inode


def of_file(path: Path | str) -> str:
    """SHA-256 of a file, in hexadecimal; cached until the file changes, since pages ask for it at every rerun.

    Raises:
        OSError: it cannot be read.
    """
    path = Path(path)
    return _hash(*stamp(path), path.stat().st_ctime_ns)


def of_weights(path: Path | str) -> str:
    """SHA-256 of a file of weights; of an index of shards, over it and all files that it names.

    Raises:
        OSError: one of them cannot be read.
    """
    parts = shards(Path(path))
    if not parts:
        return of_file(path)
    return hashlib.sha256("".join(of_file(part) for part in (path, *parts)).encode()).hexdigest()


def fresh_of_weights(path: Path | str) -> str:
    """As ``of_weights``, without the cache: for a watch, since an attacker can keep time and size of a file the same.

    Raises:
        OSError: one of the files cannot be read.
    """
    path = Path(path)
    found = []
    for part in (path, *shards(path)):
        part.stat()
        found.append(_content(part).hex())
    return found[0] if len(found) == 1 else hashlib.sha256("".join(found).encode()).hexdigest()


def of_images(path: Path | str) -> str:
    """SHA-256 of an image set: an ``.npz`` file, or a folder of class folders.

    For a folder it covers the relative path and the content of each image, in the order in which they are loaded.

    Raises:
        BadInput: as ``core.data.layout.layout``.
        OSError: a file or folder cannot be read.
    """
    path = Path(path)
    if not path.is_dir():
        return of_file(path)
    files = files_of(path)
    whole = hashlib.sha256()
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        for file, content in zip(files, pool.map(_content, files), strict=True):
            whole.update(os.fsencode(file.relative_to(path)) + b"\0" + content)
    return whole.hexdigest()


def files_of(path: Path) -> list[Path]:
    """The images of a folder of class folders, in the order in which they are loaded."""
    return [file for part in layout(path).parts for file in part.files]


def stamp(path: Path) -> Stamp:
    """What tells that a file was written again.

    Raises:
        OSError: it cannot be read.
    """
    found = path.stat()
    return str(path), found.st_size, found.st_mtime_ns, found.st_ino


def _content(path: Path) -> bytes:
    if not path.is_file():  # opening a pipe would block for ever; the reader of images reports it
        return b""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


@lru_cache(maxsize=64)
def _hash(path: str, size: int, changed: int, number: int, touched: int) -> str:
    """``touched``: the time of the last change of content or metadata (ctime), which cannot be set back."""
    return _content(Path(path)).hex()
