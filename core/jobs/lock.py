"""A lock of the operating system on a file: it goes when its holder goes, however that happens.

So there are no stale locks. (A file that is created to lock, and taken over when stale, lets two takers both win.)
"""

from __future__ import annotations

import contextlib
import fcntl
import math
import os
import time
from collections.abc import Iterator
from pathlib import Path

POLL = 0.02  # seconds between two looks at a lock that somebody holds


@contextlib.contextmanager
def held(path: Path, patience: float = math.inf) -> Iterator[bool]:
    """Inside, nobody else holds ``path``, neither another process nor another thread of this one.

    Args:
        path: of the lock's file; made if it is not there.
        patience: seconds to wait for a holder to let go.

    Yields:
        whether it is ours; False where somebody held it all the time.

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
            time.sleep(POLL)
