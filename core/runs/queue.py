"""Runs one after the other: each waits for the one before it, whose worker starts it as its last deed.

A run that waits is a record like any other, with ``after`` in it, so the queue outlives the page, the tab and the
server. Nobody watches over it: if a worker is killed with force, the runs that waited for it read as lost, and when
it is resumed and ends, they get their turn.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from core.errors import BadInput
from core.runs import record, supervisor
from core.runs.process import RunLock
from core.runs.record import Run
from core.runs.spec import Spec


def start(specs: Sequence[Spec], root: Path | None = None) -> list[Run]:
    """Create the runs, all of one ``group``, and set a worker to the first; returns at once.

    Raises:
        BadInput: what ``Spec.validate`` finds in any of them, before there is any record; ``folder_not_writable``.
    """
    for spec in specs:
        spec.validate()
    group = secrets.token_hex(4)
    runs: list[Run] = []
    for spec in specs:
        run = record.create(spec, root)
        run.update(group=group, after=runs[-1].id if runs else None)
        runs.append(run)
    if runs:
        supervisor.spawn(runs[0])
    return runs


def start_next(run: Run) -> list[Run]:
    """Give a worker to the runs that waited for this one; for its worker, when it has ended. Returns them."""
    started = []
    for waiting in record.list_runs(run.folder.parent, recordings=False):
        data = waiting.data
        if data.get("after") != run.id or data["status"] != "queued" or data.get("worker"):
            continue
        with contextlib.suppress(BadInput), RunLock(waiting.folder, supervisor.PATIENCE):
            if waiting.data["status"] == "queued":  # it may have been cancelled meanwhile
                waiting.update(queued=record.now(), after=None)
                started.append(waiting)
    for waiting in started:
        supervisor.spawn(waiting)
    return started


def stop(runs: Sequence[Run]) -> None:
    """Stop all of a group: those that wait never begin, the one at work stops before its next step."""
    for run in reversed(runs):
        if run.data.get("after") and run.status == "queued":
            with contextlib.suppress(BadInput), RunLock(run.folder, supervisor.PATIENCE):
                if run.data.get("after"):
                    run.update(status="stopped", ended=record.now())
        with contextlib.suppress(BadInput):  # it may end by itself meanwhile
            supervisor.stop(run)


def resume(runs: Sequence[Run]) -> None:
    """Take up a group again: the first of its runs that has not ended well gets a worker, and the others wait for it.

    Args:
        runs: in their order.

    Raises:
        BadInput: ``run_already_running``: one of them is at work.
    """
    left = [run for run in runs if run.status != "done"]
    for run in left:
        if run.status not in record.ENDED:
            raise supervisor.already_running(run.id)
    for before, run in pairwise(left):
        with RunLock(run.folder, supervisor.PATIENCE):
            run.tell("run")
            run.update(status="queued", queued=record.now(), worker=None, failure=None, after=before.id)
    if left:
        with RunLock(left[0].folder, supervisor.PATIENCE):
            left[0].update(after=None)
        supervisor.resume(left[0])
