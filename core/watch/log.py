"""Logs that only grow, one JSON object a line: on the disk before ``append`` returns, whole after a crash."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from core.files import dump_json

_PIECE = 65536  # bytes


class Log:
    """Appends to a file, which several processes may do: each takes a lock for the moment.

    A torn last line, of a writer that was killed, is cut off first.

    Raises:
        OSError: the file cannot be opened for writing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)

    def append(self, entries: Sequence[dict[str, Any]]) -> None:
        """Adds all entries or, where the disk is full, none.

        Raises:
            OSError: nothing was added.
        """
        content = memoryview("".join(dump_json(entry) + "\n" for entry in entries).encode())
        with self._locked():
            before = self._cut()
            try:
                while content:
                    content = content[os.write(self._file, content) :]
                os.fsync(self._file)
            except OSError:
                os.ftruncate(self._file, before)
                raise

    def close(self) -> None:
        os.close(self._file)

    def __enter__(self) -> Log:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def _cut(self) -> int:
        """Cuts a torn last line off, looking from the end of the file, which may be long; the file's size then."""
        size = end = os.fstat(self._file).st_size
        while end > 0:
            start = max(0, end - _PIECE)
            found = os.pread(self._file, end - start, start).rfind(b"\n")
            if found >= 0:
                end = start + found + 1
                break
            end = start
        if end < size:
            os.ftruncate(self._file, end)
        return end


def entries(path: Path, most: int | None = None) -> Iterator[dict[str, Any]]:
    """The entries of a log, in order; none if it is not there. A torn last line and damaged ones are passed over.

    Args:
        most: bytes from the end of the file that are read; all by default.
    """
    try:
        with path.open("rb") as file:
            if most is not None and os.fstat(file.fileno()).st_size > most:
                file.seek(-most, os.SEEK_END)
                file.readline()  # the rest of a line
            for line in file:
                if not line.endswith(b"\n"):
                    return
                try:
                    entry = json.loads(line)
                except ValueError:
                    continue
                if isinstance(entry, dict):
                    yield entry
    except (FileNotFoundError, NotADirectoryError):
        return
