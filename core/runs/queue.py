"""Queued runs: each waits for the one before it, whose worker starts it before it ends.

A waiting run is a record like any other, with ``after`` in it. So the queue survives the page and the server. There is
no process that supervises it: if a worker is killed, the runs that wait for it count as lost. When that run is resumed
and ends, they are started.
"""

from __future__ import annotations

import contextlib
import secrets
import shutil
import sys
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from core.errors import BadInput
from core.runs import record, supervisor
from core.runs.lock import run_lock
from core.runs.record import Run
from core.runs.spec import Spec


def start(specs: Sequence[Spec], root: Path | None = None) -> list[Run]:
    """Create the runs, all of one ``group``, and set a worker to the first; returns at once.

    Raises:
        BadInput: what ``Spec.validate`` finds in any of them; ``folder_not_writable``, ``queue_not_written`` or
            ``run_not_started``. No record stays behind then.
    """
    for spec in specs:
        spec.validate()
    group = secrets.token_hex(4)
    runs: list[Run] = []
    try:
        with _on_disk():
            for spec in specs:
                runs.append(record.create(spec, root))
                runs[-1].update(group=group, after=runs[-2].id if len(runs) > 1 else None)
        if runs:
            supervisor.spawn(runs[0])
    except BadInput:
        for run in runs:
            shutil.rmtree(run.folder, ignore_errors=True)
        raise
    return runs


def start_next(run: Run) -> list[Run]:
    """Starts the runs that waited for this one, which has ended, and returns them; called by its worker.

    A run that cannot be started (its folder is gone, the disk is full) is recorded as failed, with the reason, and the
    runs that waited for it are started instead. Nothing is raised: a fault that cannot be recorded either is printed to
    standard error, and the runs stay queued until ``resume``.
    """
    started: list[Run] = []
    ended, known = [run], {run.id}
    while ended:
        before = ended.pop(0)
        for waiting in _waiting_for(before):
            if waiting.id in known:  # runs that wait for one another, in records made by hand
                continue
            known.add(waiting.id)
            try:
                if _begin(waiting):
                    started.append(waiting)
            except BadInput as fault:
                print(fault.message, file=sys.stderr)
                _fail(waiting, fault)
                ended.append(waiting)
    return started


def _waiting_for(run: Run) -> list[Run]:
    found = []
    with contextlib.suppress(OSError):
        for waiting in record.list_runs(run.folder.parent, recordings=False):
            with contextlib.suppress(BadInput):  # gone, or damaged, since it was listed
                data = waiting.data
                if data.get("after") == run.id and data.get("status") == "queued" and not data.get("worker"):
                    found.append(waiting)
    return found


def _begin(waiting: Run) -> bool:
    """Whether it was given a worker.

    Raises:
        BadInput: it could not be.
    """
    with _on_disk():
        try:
            with run_lock(waiting.folder, supervisor.LOCK_SECONDS):
                if waiting.data["status"] != "queued":  # it may have been cancelled meanwhile
                    return False
                waiting.update(queued=record.now(), after=None)
        except BadInput as fault:
            if fault.code == "run_already_running":
                return False
            raise
    supervisor.spawn(waiting)
    return True


def _fail(run: Run, fault: BadInput) -> None:
    failure = {"code": fault.code, "message": fault.message, "facts": dict(fault.facts)}
    with contextlib.suppress(BadInput, OSError), run_lock(run.folder, supervisor.LOCK_SECONDS):
        run.update(status="failed", ended=record.now(), failure=failure)


@contextlib.contextmanager
def _on_disk() -> Iterator[None]:
    """Inside, errors of the disk become a ``BadInput``.

    Raises:
        BadInput: ``queue_not_written``.
    """
    try:
        yield
    except OSError as error:
        raise BadInput(
            "queue_not_written",
            f"The runs that wait cannot be written down ({error.strerror}); see that their folders are there and the "
            "disk has room, then try again.",
            reason=str(error.strerror),
        ) from None


def stop(runs: Sequence[Run]) -> None:
    """Stop all of a group: those that wait never begin, the one at work stops before its next step.

    Raises:
        BadInput: ``queue_not_written``, of the last one that could not be stopped; the others are.
    """
    refused = None
    for run in reversed(runs):
        try:
            with _on_disk():
                _stop(run)
        except BadInput as fault:
            refused = fault
    if refused is not None:
        raise refused


def _stop(run: Run) -> None:
    with contextlib.suppress(BadInput):  # it may be gone, or end by itself, meanwhile
        if run.data.get("after") and run.status == "queued":
            with contextlib.suppress(BadInput), run_lock(run.folder, supervisor.LOCK_SECONDS):
                if run.data.get("after"):
                    run.update(status="stopped", ended=record.now())
        supervisor.stop(run)


def resume(runs: Sequence[Run]) -> None:
    """Take up a group again: the first of its runs that has not ended well gets a worker, and the others wait for it.

    Args:
        runs: in their order.

    Raises:
        BadInput: ``run_already_running``: one of them is at work; ``queue_not_written``; ``run_not_started``.
    """
    left = [run for run in runs if run.status != "done"]
    for run in left:
        if run.status not in record.ENDED:
            raise supervisor.already_running(run.id)
    with _on_disk():
        for before, run in pairwise(left):
            with run_lock(run.folder, supervisor.LOCK_SECONDS):
                run.tell("run")
                run.update(status="queued", queued=record.now(), worker=None, failure=None, after=before.id)
        if left:
            with run_lock(left[0].folder, supervisor.LOCK_SECONDS):
                left[0].update(after=None)
            supervisor.resume(left[0])
