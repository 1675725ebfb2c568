"""The engine "local": as many worker processes on this machine as asked for, each with its share of the cores."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from typing import Protocol

import psutil

from core.errors import BadInput
from core.fleet.fork_server import ForkServer, possible
from core.runs import record, supervisor
from core.runs.machine import cores
from core.runs.record import Run

ENGINES = ("local",)
POLL_SECONDS = 0.1  # between two looks at the runs
STOP_SECONDS = 10.0  # seconds for a worker to stop by itself, before it is killed


class Engine(Protocol):
    """Carries out a fleet's runs. ``ended`` gives back every run given to ``start``, however it ended.

    ``name``: as on the command line. ``workers``: how many runs are worked on at once.
    """

    name: str
    workers: int

    @property
    def full(self) -> bool:
        """Whether a run that is started now would have to wait."""

    @property
    def going(self) -> list[Run]:
        """The runs being worked on."""

    def start(self, run: Run) -> None:
        """Sets a worker to a run, a new one or one that was cut off; one that has a worker is waited for.

        Raises:
            BadInput: as ``core.runs.supervisor``.
        """

    def ended(self) -> list[Run]:
        """The runs that have ended since the last call, after a moment's wait."""

    def stop(self) -> None:
        """Stops all that is worked on; each run can be gone on with."""

    def close(self) -> None:
        """Gives back what it holds; to be called when there is no more to do."""


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


def usual_workers(shared: int | None = None) -> int:
    """Half of the cores, at least 1. ``shared``: how many there are; all that this process may use by default."""
    return max(1, (shared or cores()) // 2)


def engine(name: str, workers: int | None) -> Engine:
    """The engine of that name.

    Args:
        workers: None: as many as ``usual_workers``.

    Raises:
        BadInput: ``fleet_engine`` or ``fleet_workers``.
    """
    if name not in ENGINES:
        raise BadInput(
            "fleet_engine",
            f"There is no engine {name!r}: this version of Dissolve works on this machine alone; leave --engine out.",
            value=name,
        )  # fmt: skip
    count = usual_workers() if workers is None else workers
    if count < 1 or count > 1024:
        raise BadInput(
            "fleet_workers", f"The number of workers {count} must be from 1 to 1024.", value=count, least=1, most=1024
        )
    return Local(count)
