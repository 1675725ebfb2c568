"""The engine "local": as many worker processes on this machine as asked for, each with its share of the cores."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable

import psutil

from core.errors import BadInput
from core.fleet.engines import Asked, usual_workers
from core.fleet.fork_server import ForkServer, possible
from core.runs import record, supervisor
from core.runs.machine import cores
from core.runs.record import Run

POLL_SECONDS = 0.1  # between two looks at the runs
STOP_SECONDS = 10.0  # seconds for a worker to stop by itself, before it is killed


class Local:
    """Worker processes, detached as those of the dashboard, so that runs continue if this process ends.

    They are forked from one that has torch loaded (``core.fleet.fork_server``) where the system can do that.

    Args:
        workers: at least 1.
        sleep, clock: waiting, and seconds that go on.
        shared: cores that the workers share; all that this process may use by default.
    """

    name = "local"

    def __init__(
        self,
        workers: int,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        shared: int | None = None,
    ) -> None:
        self.workers = workers
        self.threads = max(1, (shared or cores()) // workers)
        with contextlib.suppress(KeyError, ValueError):  # fewer, where the user said so
            self.threads = max(1, min(self.threads, int(os.environ["OMP_NUM_THREADS"])))
        self._sleep, self._clock = sleep, clock
        self._fork_server = ForkServer(self.threads) if possible() else None
        self.going: list[Run] = []

    @property
    def full(self) -> bool:
        return len(self.going) >= self.workers

    def start(self, run: Run) -> None:
        if self._fork_server is not None:
            self._fork_server.ready()  # before the time begins in which a queued run's worker has to report
        status = run.status
        if status in record.ENDED:
            supervisor.resume(run, self._begin)
        elif run.data.get("worker") is None:
            run.update(queued=record.now())
            self._begin(run)
        self.going.append(run)

    def _begin(self, run: Run) -> None:
        if self._fork_server is None:
            supervisor.spawn(run, self.threads)
        else:
            self._fork_server.begin(run)

    def ended(self) -> list[Run]:
        over = [run for run in self.going if run.status in record.ENDED]
        if not over and self.going:
            self._sleep(POLL_SECONDS)
        self.going = [run for run in self.going if run not in over]
        return over

    def stop(self) -> None:
        for run in self.going:
            with contextlib.suppress(BadInput, OSError):  # it has just ended
                supervisor.stop(run)
        deadline = self._clock() + STOP_SECONDS
        while self.going and self._clock() < deadline:
            self.ended()
        for run in self.going:
            with contextlib.suppress(BadInput, OSError, psutil.Error):
                supervisor.kill(run)
        self.going = []
        self.close()

    def close(self) -> None:
        if self._fork_server is not None:
            self._fork_server.close()


def begin(asked: Asked) -> Local:
    """As many workers as asked for; by default half as many as there are cores."""
    return Local(usual_workers() if asked.workers is None else asked.workers)
