"""Starts worker processes and steers them, by the run's folder alone: any process may, at any time."""

from __future__ import annotations

import contextlib
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path

import psutil

from core.errors import BadInput
from core.jobs import process
from core.jobs.spawn import python_module
from core.jobs.spawn import spawn as spawn_process
from core.runs import hashes, record
from core.runs.lock import already_running, run_lock
from core.runs.record import Run
from core.runs.spec import Spec

LOCK_SECONDS = 2.0  # seconds to wait for the lock of a worker that is about to end


def worker_command(run: Run) -> list[str]:
    return python_module("core", "work", str(run.folder.resolve()))


def start(spec: Spec, root: Path | None = None, title: str | None = None) -> Run:
    """Create a run and set a worker to it; returns at once.

    Raises:
        BadInput: as ``core.runs.record.create``.
    """
    run = record.create(spec, root, title=title)
    spawn(run)
    return run


def pause(run: Run) -> None:
    """Pause before the next step. Does nothing to a run that is paused, or already told to stop.

    Raises:
        BadInput: ``run_not_running``.
    """
    _require_worker(run)
    if run.control != "stop":
        run.tell("pause")


def stop(run: Run) -> None:
    """Stop before the next step, keeping what there is; also a paused or queued run.

    Raises:
        BadInput: ``run_not_running``.
    """
    _require_worker(run)
    run.tell("stop")


def resume(run: Run, begin: Callable[[Run], None] | None = None) -> None:
    """Let a paused run go on; give a lost, stopped or failed one a new worker, which goes on from the last checkpoint.

    Args:
        begin: sets a worker to it; ``spawn`` by default.

    Raises:
        BadInput: ``run_already_running``; ``run_not_resumable``, it is done or a recording; as
            ``core.runs.hashes.check``: its files are not those that it began with.
    """
    status = run.status
    if status in ("queued", "running", "paused") and run.control == "pause":
        run.tell("run")
        return
    if status not in record.ENDED:
        raise already_running(run.id)
    if status == "done" or run.is_recording:
        raise BadInput("run_not_resumable", f"The run {run.id} is done; there is nothing to go on with.", run=run.id)
    hashes.check(run)
    with run_lock(run.folder, LOCK_SECONDS):
        if run.status not in record.ENDED:  # it has just been given another worker
            raise already_running(run.id)
        run.tell("run")
        run.update(status="queued", queued=record.now(), worker=None, failure=None)
    (begin or spawn)(run)


def kill(run: Run, grace: float = 5.0) -> None:
    """End the run's worker: ask it to stop, and after ``grace`` seconds end it by force. The run can be resumed.

    Only the very process that the record names is touched, and what it started; blocks until it is gone.

    Raises:
        BadInput: ``run_not_running``.
    """
    _require_worker(run)
    worker = process.find(run.data.get("worker"))
    if worker is None:
        run.tell("stop")  # queued: its worker is about to come up
        return
    with contextlib.suppress(psutil.NoSuchProcess):  # psutil itself looks at the start time again before it signals
        family = worker.children(recursive=True)
        worker.terminate()
        _, alive = psutil.wait_procs([worker], timeout=grace)
        for member in [*alive, *family]:
            with contextlib.suppress(psutil.NoSuchProcess):
                member.kill()
        psutil.wait_procs(alive, timeout=grace)
    with contextlib.suppress(BadInput), run_lock(run.folder, LOCK_SECONDS):
        if run.status == "lost":
            run.update(status="stopped", ended=record.now())


def delete(run: Run) -> None:
    """Remove the run and everything in its folder.

    Raises:
        BadInput: ``run_still_running``; ``run_is_recording``.
    """
    if run.is_recording:
        raise BadInput("run_is_recording", f"The run {run.id} is shipped with Dissolve and stays.", run=run.id)
    home = run.folder.resolve()
    if run.status not in record.ENDED:
        raise BadInput(
            "run_still_running", f"The run {run.id} is still going; stop it before you delete it.", run=run.id
        )
    with run_lock(home, LOCK_SECONDS):
        hidden = home.with_name(f".{home.name}.{secrets.token_hex(4)}")  # so that no half-removed run is ever listed
        home.rename(hidden)
        shutil.rmtree(hidden)
    for link in (run.folder, record.paths.runs_folder() / run.id):
        if link.is_symlink() and not link.exists():
            link.unlink()


def _require_worker(run: Run) -> None:
    status = run.status
    if status in record.ENDED:
        raise BadInput(
            "run_not_running", f"The run {run.id} is not going on: it is {status}.", run=run.id, status=status
        )


def spawn(run: Run, threads: int | None = None) -> None:
    """A worker for the run.

    Args:
        threads: of its computations, where it shares the machine with other workers; else as many as there are cores.

    Raises:
        BadInput: ``run_not_started``.
    """
    try:
        more = None if threads is None else {"OMP_NUM_THREADS": str(threads)}
        spawn_process(worker_command(run), run.folder / "worker.log", append=True, environment=more)
    except OSError as error:
        raise BadInput(
            "run_not_started",
            f"The run {run.id} could not be started ({error.strerror}); see that its folder is there and its disk has "
            "room, then start or resume it again.",
            run=run.id,
            reason=str(error.strerror),
        ) from None
