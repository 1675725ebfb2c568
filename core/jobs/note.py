"""The note of a job: a small file in which a process says who it is, how far it is, and how it ended.

Any page may read it. The process is known by its number and start time, so that a job whose process is gone reads as
ended, whatever the note says.
"""

from __future__ import annotations

import contextlib
import json
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from core.errors import BadInput
from core.files import NOT_WRITTEN, write_json
from core.jobs import process
from core.jobs.lock import held
from core.jobs.spawn import spawn

EVERY = 0.3  # seconds between two notes
SHORTEST = 1.0  # seconds of a stage that tell its pace
IDLE = "idle"  # the stage of a process that only waits
OURS = ("job_failed", "internal")  # faults of ours: raised as they came
Report = Callable[[str, float, float], None]  # stage, done, total


@dataclass(frozen=True)
class Job:
    """How a job stands.

    Attributes:
        kind: where its maker tells kinds apart.
        done, total: units of the stage; 0 of 0 where they are not counted.
        left: seconds of the stage, or None.
        failure: code, message and facts of a ``BadInput``, or empty.
    """

    kind: str = ""
    stage: str = ""
    done: float = 0
    total: float = 0
    left: float | None = None
    ended: bool = False
    failure: dict[str, Any] = field(default_factory=dict)

    @property
    def at_work(self) -> bool:
        return not self.ended and self.stage != IDLE


def failure(fault: BadInput) -> dict[str, Any]:
    """A fault as notes keep it."""
    return {"code": fault.code, "message": fault.message, "facts": fault.facts}


def content(path: Path) -> dict[str, Any] | None:
    """What stands in a note; None if there is none that can be read."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def read(path: Path) -> Job | None:
    """How the job of that note stands; None if there was none."""
    note = content(path)
    if note is None:
        return None
    known = {name: note[name] for name in ("stage", "done", "total", "left", "failure") if note.get(name) is not None}
    ended = bool(note.get("ended"))
    if not ended and process.find(note.get("worker")) is None:
        last = content(path) or note  # it may have written its last word, and ended, after the note was read
        if last != note:
            return read(path)
        ended = True
        known["failure"] = known.get("failure") or failure(
            BadInput("job_ended", "The computation ended before it was done.")
        )
    return Job(ended=ended, **known)


def begin(path: Path, command: Sequence[str], made: Callable[[], bool] = lambda: False) -> None:
    """Sets a process to ``command`` and returns; what it prints is kept beside its note.

    Not while one is at work on that note, nor where its result is there: two pages that ask for the same thing at once
    wait for one process.

    Args:
        path: of the note, whose folder is there. made: whether the result is there.
    """
    with held(path.with_suffix(".lock")):
        now = read(path)
        if (now is None or now.ended) and not made():
            worker = spawn(command, path.with_suffix(".log"))
            if worker is not None:  # else it has ended already, and said how
                write_json(path, {"worker": worker})


def end(path: Path) -> None:
    """Asks the process of that note to end, as ``kill`` does; whoever has ended already is left alone."""
    worker = process.find((content(path) or {}).get("worker"))
    if worker is not None:
        with contextlib.suppress(psutil.Error):
            worker.terminate()


def fault_of(error: Exception) -> BadInput:
    """An error as the user reads it; the words of one that is ours may hold this machine's paths."""
    if isinstance(error, BadInput):
        return error
    if isinstance(error, OSError) and error.errno in NOT_WRITTEN:
        return BadInput("place_lost", "The results could not be written; see that there is room on the disk.")
    name = type(error).__name__
    return BadInput("job_failed", f"The computation failed ({name}).", error=name)


def left(done: float, total: float, seconds: float) -> float | None:
    """Seconds that a stage will still take at the pace so far; None before it has shown one.

    Args:
        done, total: units of the stage. seconds: that it took so far.
    """
    return round(seconds * (total - done) / done, 1) if 0 < done <= total and seconds >= SHORTEST else None


@contextlib.contextmanager
def told(
    path: Path,
    watch: Report | None = None,
    facts: Mapping[str, Any] | None = None,
    as_told: Callable[[Exception], BadInput] = fault_of,
) -> Iterator[Report]:
    """Inside: a function to report with, whose last word is on disk; at the end, how it ended.

    Args:
        path: of the note; its folder is there.
        watch: is told the same at once.
        facts: stand in the note as well; one that changes meanwhile is written as it is then.
        as_told: an error as the user reads it.
    """
    note: dict[str, Any] = {**(facts or {}), "worker": process.identity()}
    begun = time.monotonic()
    written = 0.0

    def report(stage: str, done: float, total: float) -> None:
        nonlocal begun, written
        if watch:
            watch(stage, done, total)
        now = time.monotonic()
        fresh = note.get("stage") != stage
        if not done:  # what came before, or the work on something else, says nothing of how long this takes
            begun = now
        note.update(stage=stage, done=done, total=total, left=left(done, total, now - begun))
        if fresh or (now - written > EVERY and stage != IDLE):
            written = now
            write_json(path, note)

    write_json(path, note)
    try:
        yield report
    except Exception as error:
        told_as = as_told(error)
        note["failure"] = failure(told_as)
        if told_as.code not in OURS:
            raise told_as from error
        traceback.print_exc()  # into the log beside the note
        raise
    finally:
        with contextlib.suppress(OSError):  # the folder is gone: nobody waits any more
            write_json(path, note | {"ended": True})
