"""The events of a run on disk: a log that only grows, read while it does."""

from __future__ import annotations

import json
import os
from pathlib import Path

from core import events
from core.events import Event
from core.files import dump_json


class EventWriter:
    """Appends events to ``events.jsonl``, one line each, in the file system before ``append`` returns.

    A torn last line, left by a writer that was killed, is cut off first.
    """

    def __init__(self, path: Path) -> None:
        self._cut_torn_line(path)
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    @staticmethod
    def _cut_torn_line(path: Path) -> None:
        if path.exists():
            content = path.read_bytes()
            whole = content.rfind(b"\n") + 1
            if whole < len(content):
                os.truncate(path, whole)

    def append(self, seconds: float, event: Event) -> None:
        """Add ``event``, which happened ``seconds`` after the run's start."""
        line = memoryview((dump_json({"t": round(seconds, 4), **events.to_json(event)}) + "\n").encode())
        while line:  # one call does it, except on a full disk or a signal
            line = line[os.write(self._file, line) :]

    def close(self) -> None:
        os.close(self._file)

    def __enter__(self) -> EventWriter:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


class EventReader:
    """Reads ``events.jsonl`` while it grows; every call of ``read`` gives what came since the last.

    Args:
        path: the file; it need not exist yet.
        offset: where to go on, in bytes; ``reader.offset`` after a ``read`` can be kept and given here later.
    """

    def __init__(self, path: Path, offset: int = 0) -> None:
        self.path = path
        self.offset = offset

    def read(self) -> list[tuple[float, Event]]:
        """New events with their seconds since the run's start.

        An unfinished last line waits for the next call; lines that are damaged or of an unknown type are passed over.
        """
        try:
            with self.path.open("rb") as file:
                file.seek(self.offset)
                content = file.read()
        except FileNotFoundError:
            return []
        whole = content[: content.rfind(b"\n") + 1]
        self.offset += len(whole)
        return [found for line in whole.splitlines() if (found := _parse(line)) is not None]


def _parse(line: bytes) -> tuple[float, Event] | None:
    try:
        data = json.loads(line)
        event = events.from_json(data)
        return None if event is None else (float(data["t"]), event)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
