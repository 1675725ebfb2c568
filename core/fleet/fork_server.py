"""A fork server: a process that has torch loaded already, and forks a worker for each run, so that none waits for it.

``ForkServer`` is the fleet's side. The process itself, ``python -m core.fleet.fork_server``, reads folders of runs from
its standard input, a line each, and ends when that is closed. Its workers are detached like those of
``core.runs.supervisor.spawn``, so that they outlive it and the fleet. It computes nothing itself: a process whose
threads or GPU are in use must not be forked.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

import psutil

from core.engine import worker
from core.jobs import process
from core.jobs.spawn import ROOT, python_module
from core.runs import supervisor
from core.runs.record import Run

READY = b"ready\n"
TIED = "DISSOLVE_WORKERS_TIED"  # variable of the environment: the workers end when whoever began the process does
LOADED = ("core.models.reading", "safetensors.torch", "sklearn.datasets")  # what most runs would import by themselves


def command() -> list[str]:
    return python_module("core.fleet.fork_server")


def possible() -> bool:
    """Whether this system forks safely: on a Mac its own libraries do not."""
    return sys.platform == "linux"


class ForkServer:
    """Begins the process when the first run is given to it.

    Args:
        threads: of each worker.
        tied: whether the workers end by force when this process ends, however it does, since nobody would ever ask
            for their runs.
        program: that is the fork server; ``command()`` by default.
    """

    def __init__(self, threads: int, tied: bool = False, program: Sequence[str] | None = None) -> None:
        self._more = {"OMP_NUM_THREADS": str(threads)} | ({TIED: "1"} if tied else {})
        self._threads, self._program = threads, program
        self._process: subprocess.Popen[bytes] | None = None

    def ready(self) -> bool:
        """Waits until the process has loaded what workers need; False where it cannot be started."""
        if self._process is not None and self._process.poll() is None:
            return True
        self.close()
        try:
            self._process = subprocess.Popen(
                self._program or command(), cwd=ROOT, start_new_session=True, stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=os.environ | self._more,
            )  # fmt: skip
        except OSError:
            return False
        assert self._process.stdout is not None
        return self._process.stdout.readline() == READY

    def begin(self, run: Run) -> None:
        """Sets a worker to a run; returns at once where the process is ready.

        Raises:
            BadInput: as ``core.runs.supervisor.spawn``, which does it where there is no such process.
        """
        folder = os.fsencode(run.folder.resolve())
        if self.ready() and b"\n" not in folder:
            assert self._process is not None
            assert self._process.stdin is not None
            with contextlib.suppress(OSError):  # it was killed just now: the run reads as lost and is tried again
                self._process.stdin.write(folder + b"\n")
                self._process.stdin.flush()
            return
        supervisor.spawn(run, self._threads)

    def close(self) -> None:
        """Ends the process; its workers go on."""
        if self._process is None:
            return
        self._process.terminate()
        process.collect(self._process)
        self._process = None


def serve(work: Callable[[Path], object]) -> None:
    """Forks a worker for every folder that comes, until there are no more."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # workers that have ended leave nothing behind
    sys.stdout.buffer.write(READY)
    sys.stdout.buffer.flush()
    begun = []
    for line in sys.stdin.buffer:
        folder = Path(os.fsdecode(line.rstrip(b"\n")))
        if (number := os.fork()) == 0:
            _worker(folder, work)
        if TIED in os.environ:
            with contextlib.suppress(psutil.Error):  # it has ended already
                begun.append(process.identity(number))
    for identity in begun:
        still = process.find(identity)
        if still is not None:
            still.kill()


def _worker(folder: Path, work: Callable[[Path], object]) -> None:
    """In the new process: does the run and ends."""
    code = 1
    try:
        os.setsid()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        log = os.open(folder / "worker.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((nothing, 0), (log, 1), (log, 2)):
            os.dup2(source, target)
        faulthandler.enable()
        work(folder)
        code = 0
    except BaseException:  # what the run's own record does not tell: it could not even be opened, say
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    from core.engine import pipeline

    for needed in LOADED:
        import_module(needed)
    serve(lambda folder: worker.work(folder, pipeline.run))
