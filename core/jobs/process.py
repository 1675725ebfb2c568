"""The identity of a process, its number and its start time, and what it does when it is asked to end."""

from __future__ import annotations

import contextlib
import signal
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import psutil

# Seconds. Start times are computed from the machine's boot time, which shifts by up to a second when the clock is set.
START_TOLERANCE = 2.0


def identity(pid: int | None = None) -> dict[str, Any]:
    """``{"pid", "started"}`` of a process, ``started`` in seconds since 1970; of this process by default."""
    process = psutil.Process(pid)
    return {"pid": process.pid, "started": process.create_time()}


def find(worker: dict[str, Any] | None) -> psutil.Process | None:
    """The process that ``identity`` described, or None if it does not exist any more.

    A process of the same number with another start time is a different one. A zombie (ended, not yet collected by its
    parent) does not count.
    """
    try:
        process = psutil.Process(int(worker["pid"])) if worker else None
        if process is None or abs(process.create_time() - float(worker["started"])) > START_TOLERANCE:  # type: ignore[index]
            return None
        return None if process.status() in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD) else process
    except (psutil.Error, KeyError, TypeError, ValueError, OverflowError):
        return None


def collect(child: subprocess.Popen[Any]) -> None:
    """Waits for a child that was told to end, and closes its pipes, whose last words nobody reads any more."""
    child.wait()
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()


@contextlib.contextmanager
def on_sigterm(act: Callable[[], None]) -> Iterator[None]:
    """Inside, SIGTERM calls ``act``. Only the main thread can set that; in other threads nothing changes."""
    try:
        before = signal.signal(signal.SIGTERM, lambda *_: act())
    except ValueError:  # not the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
