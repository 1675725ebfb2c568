"""Zips that claim to hold what they do not: lists of members without the members."""

from __future__ import annotations

import struct
from pathlib import Path


def end_record(size: int, start: int = 0) -> bytes:
    """What stands at the end of a zip: how many bytes its list of members takes, and where it starts."""
    return struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, size, start, 0)


def listing(members: int, name: bytes = b"a.png") -> bytes:
    """A zip that lists so many empty members of one name."""
    entry = struct.pack("<4s6H3L5H2L", b"PK\x01\x02", 20, 20, *[0] * 7, len(name), *[0] * 6) + name
    return entry * members + end_record(len(entry) * members)


def hollow(path: Path, size: int, start: bytes = b"", end: bytes = b"") -> Path:
    """A file of so many bytes before its end, which take no room on the disk where they are zeros."""
    with path.open("wb") as file:
        file.write(start)
        file.truncate(size)
        file.seek(size)
        file.write(end)
    return path
