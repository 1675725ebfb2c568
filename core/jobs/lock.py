"""File locks of the operating system: a lock ends with the process that holds it, even if that is killed.

So there are no stale locks. (With lock files that are taken over when stale, two processes can both take one over.)
"""

from __future__ import annotations

import contextlib
import fcntl
import math
import os
import time
from collections.abc import Iterator
from pathlib import Path

POLL_SECONDS = 0.02  # between two attempts to take a lock


@contextlib.contextmanager
def held(path: Path, patience: float = math.inf) -> Iterator[bool]:
    """Locks ``path`` against other processes and other threads of this one.

    Args:
        path: of the lock's file, which is created if it does not exist.
        patience: seconds to wait for the lock.

    Yields:
        whether it was locked; False if somebody else held the lock all the time.

    Raises:
        OSError: the folder is not there, or nothing may be written in it.
    """
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        yield _taken(file, patience)
    finally:
        os.close(file)


def _taken(file: int, patience: float) -> bool:
    if patience == math.inf:
        fcntl.flock(file, fcntl.LOCK_EX)
        return True
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(POLL_SECONDS)
