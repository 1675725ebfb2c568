"""Fetches an image set in a process of its own: ``python -m dashboard.download NAME``.

How far it is stands in a small file in the cache, which any page may read; the process is known by number and start
time, so that a download whose process is gone reads as ended.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.errors import BadInput
from core.paths import cache_folder
from core.runs import process
from core.runs.files import write_json

ROOT = Path(__file__).resolve().parent.parent
EVERY = 0.5  # seconds between two notes of how far it is


@dataclass(frozen=True)
class Download:
    """A download as it stands: bytes ``done`` of ``total`` (0: not known yet); ``failure`` once it went wrong."""

    done: int = 0
    total: int = 0
    ended: bool = False
    failure: dict[str, Any] = field(default_factory=dict)


def note_of(name: str) -> Path:
    return cache_folder() / f"download-{name}.json"


def state(name: str) -> Download | None:
    """The latest download of an image set; None if there was none."""
    try:
        note = json.loads(note_of(name).read_bytes())
    except (OSError, ValueError):
        return None
    ended = bool(note.get("ended")) or process.find(note.get("worker")) is None
    return Download(int(note.get("done", 0)), int(note.get("total", 0)), ended, note.get("failure") or {})


def start(name: str) -> None:
    """Begins a download and returns at once; does nothing while one is going on."""
    now = state(name)
    if now is not None and not now.ended:
        return
    cache_folder().mkdir(parents=True, exist_ok=True)
    with (cache_folder() / f"download-{name}.log").open("wb") as log:
        worker = subprocess.Popen(
            [sys.executable, "-m", "dashboard.download", name],
            cwd=ROOT,
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    write_json(note_of(name), {"worker": process.identity(worker.pid)})


def fetch(name: str) -> None:
    """The download itself, noting how far it is."""
    from core.data import load  # torch: only here, never in the dashboard's own process

    note: dict[str, Any] = {"worker": process.identity()}
    written = 0.0

    def progress(done: int, total: int) -> None:
        nonlocal written
        note.update(done=done, total=total)
        if time.monotonic() - written > EVERY:
            written = time.monotonic()
            write_json(note_of(name), note)

    try:
        load(name, download=True, progress=progress)
    except BadInput as fault:
        note["failure"] = {"code": fault.code, "message": fault.message, "facts": fault.facts}
    except Exception as fault:
        note["failure"] = {"code": "download_failed", "message": str(fault), "facts": {}}
        raise
    finally:
        write_json(note_of(name), note | {"ended": True})


if __name__ == "__main__":
    fetch(sys.argv[1])
