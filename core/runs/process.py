"""Which process is at work on a run: known by its number AND its start time, and kept alone by a file lock."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from typing import Any

import psutil

from core.errors import BadInput

LOCK = "worker.lock"
# A process's start time is reckoned from the machine's boot time, which shifts by up to a second when the clock is set.
TOLERANCE = 2.0


def identity(pid: int | None = None) -> dict[str, Any]:
    """``{"pid", "started"}`` of a process, ``started`` in seconds since 1970; of this process by default."""
    process = psutil.Process(pid)
    return {"pid": process.pid, "started": process.create_time()}


def find(worker: dict[str, Any] | None) -> psutil.Process | None:
    """The very process that ``identity`` described, or None if it is gone.

    A process of the same number that started at another time is someone else; a zombie (ended, not yet collected by
    its parent) is gone.
    """
    try:
        process = psutil.Process(int(worker["pid"])) if worker else None
        if process is None or abs(process.create_time() - float(worker["started"])) > TOLERANCE:  # type: ignore[index]
            return None
        return None if process.status() in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD) else process
    except (psutil.Error, KeyError, TypeError, ValueError, OverflowError):
        return None


class RunLock:
    """Held by whoever may write a run: its worker for as long as it lives, the supervisor for moments.

    A lock of the operating system on the file ``worker.lock``: it goes when its holder goes, however that happens, so
    there are no stale locks. (A file that is created to lock, and taken over when stale, lets two takers both win.)

    Args:
        folder: the run's folder.
        patience: seconds to wait for a holder to let go.

    Raises:
        BadInput: ``run_already_running``, another process holds it.
    """

    def __init__(self, folder: Path, patience: float = 0.0) -> None:
        self._folder = folder
        self._patience = patience

    def __enter__(self) -> RunLock:
        self._file = os.open(self._folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
        deadline = time.monotonic() + self._patience
        while True:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return self
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    os.close(self._file)
                    raise already_running(self._folder.name) from None
                time.sleep(0.02)

    def __exit__(self, *exception: object) -> None:
        os.close(self._file)


def already_running(run: str) -> BadInput:
    return BadInput(
        "run_already_running",
        f"The run {run} already has a worker; a run can have only one. Stop it first, or wait until it is done.",
        run=run,
    )
