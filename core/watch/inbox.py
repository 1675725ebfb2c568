"""A folder that images arrive in, read by the project's own reader of images. Nothing in it is ever changed."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from core.data.decode import SUFFIXES, decode
from core.errors import BadInput
from core.watch.place import not_found

SETTLED = 2.0  # seconds without a change, after which an unreadable file counts as broken and not as incomplete


class Arrival(NamedTuple):
    """A file as it was found: its place below the inbox, size in bytes, time of change in nanoseconds."""

    file: str
    size: int
    changed: int


class Inbox:
    """The folder, held by a lock of the operating system on itself, so that nothing is written in it.

    Args:
        path: must be there.
        lock: False for a reader beside a watch, which has a lock of its own.

    Raises:
        BadInput: ``inbox_not_found``; ``inbox_watched``, another watch has it.
    """

    def __init__(self, path: Path, lock: bool = True) -> None:
        self.path, self._lock = path, lock
        self._folder: int | None = None
        if not self.hold():
            raise not_found(path)

    def hold(self) -> bool:
        """Takes the lock if it is not held; False where the folder is not there (any more).

        Raises:
            BadInput: ``inbox_watched``.
        """
        if self._folder is not None:
            if self._is_same():
                return True
            self.close()
        try:
            folder = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        except OSError:
            return False
        try:
            if self._lock:
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(folder)
            raise BadInput(
                "inbox_watched", f"The inbox {self.path} is being watched already; end that watch first.",
                path=str(self.path),
            ) from None  # fmt: skip
        except OSError:  # a file system without locks: the inbox is watched without one
            pass
        self._folder = folder
        return True

    def close(self) -> None:
        if self._folder is not None:
            os.close(self._folder)
            self._folder = None

    def arrivals(self) -> Iterator[Arrival]:
        """All image files in the folder and those below it, in order of name; hidden ones are left out."""
        for place, folders, files in os.walk(self.path):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(files):
                if name.startswith(".") or not name.lower().endswith(SUFFIXES):
                    continue
                path = os.path.join(place, name)
                try:
                    found = os.stat(path)
                except OSError:  # gone since it was listed
                    continue
                yield Arrival(os.path.relpath(path, self.path), found.st_size, found.st_mtime_ns)

    def read(self, arrival: Arrival, size: tuple[int, int], bits: int | None = None) -> np.ndarray:
        """The image, uint8 RGB (height, width, 3), brought to ``size``.

        Args:
            bits: as ``core.data.decode.decode``; a picture alone does not say how many it was taken with.

        Raises:
            BadInput: as ``core.data.decode.decode``.
        """
        return decode([self.path / arrival.file], str(self.path), size, bits=bits)[0]

    def _is_same(self) -> bool:
        """Whether the path still leads to the folder that is held."""
        assert self._folder is not None
        try:
            now, held = os.stat(self.path), os.fstat(self._folder)
        except OSError:
            return False
        return (now.st_dev, now.st_ino) == (held.st_dev, held.st_ino)
