"""The note of a job: a small file with the identity, the progress and the end of a process.

Any page may read it. The process is identified by its number and start time. A job whose process does not exist any
more counts as ended, whatever the note has.
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

WRITE_SECONDS = 0.3  # between two writes of a note, at least
PACE_SECONDS = 1.0  # after which the pace of a stage is known
IDLE = "idle"  # the stage of a process that waits for more work
OURS = ("job_failed", "internal")  # codes of faults of this program, which are raised unchanged
Report = Callable[[str, float, float], None]  # stage, done, total


@dataclass(frozen=True)
class Job:
    """The state of a job.

    Attributes:
        kind: set by the caller, if it has jobs of several kinds.
        done, total: units of the stage; 0 of 0 if they are not counted.
        left: seconds left of the stage, estimated; None while unknown.
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
    """A fault as it is stored in a note."""
    return {"code": fault.code, "message": fault.message, "facts": fault.facts}


def content(path: Path) -> dict[str, Any] | None:
    """The content of a note; None if it does not exist or cannot be read."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def read(path: Path) -> Job | None:
    """The state of the job of that note; None if there was none."""
    note = content(path)
    if note is None:
        return None
    known = {name: note[name] for name in ("stage", "done", "total", "left", "failure") if note.get(name) is not None}
    ended = bool(note.get("ended"))
    if not ended and process.find(note.get("worker")) is None:
        last = content(path) or note  # the process may have written its end after the note was read
        if last != note:
            return read(path)
        ended = True
        known["failure"] = known.get("failure") or failure(
            BadInput("job_ended", "The computation ended before it was done.")
        )
    return Job(ended=ended, **known)


def begin(path: Path, command: Sequence[str], made: Callable[[], bool] = lambda: False) -> None:
    """Starts a process with ``command`` and returns; its output is kept beside its note.

    Nothing is started while another process works on that note, or if the result exists. So two pages that ask for the
    same thing at once wait for one process.

    Args:
        path: of the note; its folder must exist.
        command: of the process.
        made: whether the result exists.
    """
    with held(path.with_suffix(".lock")):
        now = read(path)
        if (now is None or now.ended) and not made():
            worker = spawn(command, path.with_suffix(".log"))
            if worker is not None:  # otherwise it has ended already, and its note is complete
                write_json(path, {"worker": worker})


def end(path: Path) -> None:
    """Asks the process of that note to end, as ``kill`` does; whoever has ended already is left alone."""
    worker = process.find((content(path) or {}).get("worker"))
    if worker is not None:
        with contextlib.suppress(psutil.Error):
            worker.terminate()


def fault_of(error: Exception) -> BadInput:
    """An error as the user reads it. Messages of unexpected errors are left out, since they may contain local paths."""
    if isinstance(error, BadInput):
        return error
    if isinstance(error, OSError) and error.errno in NOT_WRITTEN:
        return BadInput("place_lost", "The results could not be written; see that there is room on the disk.")
    name = type(error).__name__
    return BadInput("job_failed", f"The computation failed ({name}).", error=name)


def left(done: float, total: float, seconds: float) -> float | None:
    """Seconds left of a stage at its pace so far; None while that is unknown.

    Args:
        done, total: units of the stage.
        seconds: taken so far.
    """
    return round(seconds * (total - done) / done, 1) if 0 < done <= total and seconds >= PACE_SECONDS else None


@contextlib.contextmanager
def told(
    path: Path,
    watch: Report | None = None,
    facts: Mapping[str, Any] | None = None,
    as_told: Callable[[Exception], BadInput] = fault_of,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Report]:
    """Keeps the note of the job that runs inside; gives the function by which the job reports its progress.

    Args:
        path: of the note; its folder must exist.
        watch: called with every report at once.
        facts: stored in the note as well, in their current state.
        as_told: converts an error into what the user reads.
        clock: seconds that go on.
    """
    note: dict[str, Any] = {**(facts or {}), "worker": process.identity()}
    begun = clock()
    written = 0.0

    def report(stage: str, done: float, total: float) -> None:
        nonlocal begun, written
        if watch:
            watch(stage, done, total)
        now = clock()
        new_stage = note.get("stage") != stage
        if not done:  # the time before the first unit says nothing of the pace
            begun = now
        note.update(stage=stage, done=done, total=total, left=left(done, total, now - begun))
        if new_stage or (now - written > WRITE_SECONDS and stage != IDLE):
            written = now
            write_json(path, note)

    write_json(path, note)
    try:
        yield report
    except Exception as error:
        fault = as_told(error)
        note["failure"] = failure(fault)
        if fault.code not in OURS:
            raise fault from error
        traceback.print_exc()  # into the log beside the note
        raise
    finally:
        with contextlib.suppress(OSError):  # the folder was removed, so nobody waits for the job
            write_json(path, note | {"ended": True})
