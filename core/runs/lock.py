"""The lock of a run: whoever holds it may write the record."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from core.errors import BadInput
from core.jobs.lock import held

LOCK = "worker.lock"


@contextlib.contextmanager
def run_lock(folder: Path, patience: float = 0.0) -> Iterator[None]:
    """Held by whoever may write a run: its worker for as long as it lives, the supervisor for moments.

    Args:
        folder: the run's folder.
        patience: seconds to wait for the lock.

    Raises:
        BadInput: ``run_already_running``, another process holds it.
    """
    with held(folder / LOCK, patience) as mine:
        if not mine:
            raise already_running(folder.name)
        yield


def already_running(run: str) -> BadInput:
    return BadInput(
        "run_already_running",
        f"The run {run} already has a worker; a run can have only one. Stop it first, or wait until it is done.",
        run=run,
    )
