"""Opens an untrusted zip with a limit on the memory of its list of members."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

# bzip2 and LZMA are left out: ``zipfile`` unpacks all they hold of a piece at once, however much was asked for
PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENTRY = b"PK\x01\x02"  # each member's entry in the list begins with it, and takes 46 bytes at least
_SHORTEST = 46


class Archive(io.BufferedReader):
    """A file that ``zipfile`` may read the list of members of, if that is short enough.

    ``zipfile`` reads the list in one go and makes an object of some 600 bytes for each entry, before anybody can
    count them; it takes the list's length from the end record or from the 64-bit one, wherever that lies (APPNOTE.TXT
    of the ZIP format, 4.3.14 and 4.3.16). What counts, therefore, is what it then asks for, and what it gets.

    Args:
        source: the file, by its path or its bytes.
        members: the most that may be listed.
        size: bytes that the list may take, and also the most that is handed out at once, until ``listed``.
        refuse: makes the error that ends the reading.
    """

    def __init__(self, source: Path | bytes, members: int, size: int, refuse: Callable[[], Exception]) -> None:
        super().__init__(io.BytesIO(source) if isinstance(source, bytes) else io.FileIO(source))  # type: ignore[arg-type]
        self._members, self._size, self._refuse = members, size, refuse
        self._listed = False

    def listed(self) -> None:
        """Says that the list has been read and is short enough: a member may be of any length."""
        self._listed = True

    def read(self, size: int | None = -1, /) -> bytes:
        if self._listed:
            return super().read(size)
        if size is None or size < 0:
            at = self.tell()
            size = self.seek(0, os.SEEK_END) - at
            self.seek(at)
        if size > self._size:
            raise self._refuse()
        content = super().read(size)
        if len(content) > self._members * _SHORTEST and content.count(_ENTRY) > self._members:
            raise self._refuse()
        return content
