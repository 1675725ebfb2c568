"""Fetches an image set in a process of its own: ``python -m dashboard.download NAME``.

How far it is stands in a small file in the cache, which any page may read; the process is known by number and start
time, so that a download whose process is gone reads as ended.
"""

from __future__ import annotations

import sys
from pathlib import Path

from core.errors import BadInput
from core.files import require_room
from core.jobs.note import Job, begin, read, told
from core.jobs.spawn import python_module
from core.paths import cache_folder


def note_of(name: str) -> Path:
    return cache_folder() / f"download-{name}.json"


def state(name: str) -> Job | None:
    """The latest download of an image set, in bytes (0 in all: not known yet); None if there was none."""
    return read(note_of(name))


def start(name: str) -> None:
    """Begins a download and returns at once; does nothing while one is going on.

    Raises:
        BadInput: ``place_not_writable``.
    """
    require_room(cache_folder())
    begin(note_of(name), python_module("dashboard.download", name))


def fetch(name: str) -> int:
    """The download itself, noting how far it is; exit status 1 when it failed."""
    from core.data import load  # torch: only here, never in the dashboard's own process

    try:
        with told(note_of(name)) as report:
            load(name, download=True, progress=lambda done, total: report("fetch", done, total))
    except BadInput:
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(fetch(sys.argv[1]))
