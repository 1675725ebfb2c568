"""The worker process of a run, the only process that writes its record meanwhile."""

from __future__ import annotations

import contextlib
import errno
import faulthandler
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from core.compute.memory import keep_freed, ran_out
from core.errors import BadInput
from core.events import Event, Failed, Finished, Scanned, Steered
from core.files import sweep
from core.jobs import process
from core.runs import machine, queue
from core.runs.event_log import EventWriter
from core.runs.lock import run_lock
from core.runs.record import ENDED, Run, Status, now
from core.runs.steering import Steering, Stopped

Pipeline = Callable[[Run, Steering], Iterable[Event]]
LOCK_SECONDS = 1.0  # longer than the supervisor ever holds a run's lock


def work(
    folder: Path | str,
    pipeline: Pipeline | None = None,
    on_event: Callable[[Event], None] | None = None,
    patience: float = LOCK_SECONDS,
) -> Status:
    """Do the run in ``folder``, or go on with it, until it is done, stopped or failed.

    Args:
        pipeline: yields the run's events; ``core.engine.pipeline.run`` by default.
        on_event: is shown each event after it was written.
        patience: seconds to wait for the run's lock.

    Returns:
        the status the run ended with: "done", "stopped" or "failed"; what went wrong is in the record.

    Raises:
        BadInput: the run cannot be opened, is done already, or has another worker; its record is untouched.
        KeyboardInterrupt: after the run was written down as stopped.
    """
    keep_freed()  # for speed alone: where the C library cannot, the run takes longer and comes to the same
    run = Run(folder)
    with run_lock(run.folder, patience):
        if run.is_recording or run.data["status"] == "done":
            raise BadInput(
                "run_not_resumable", f"The run {run.id} is done; there is nothing to go on with.", run=run.id
            )
        sweep(run.folder)
        with EventWriter(run.folder / "events.jsonl") as log:
            return _Worker(run, log, on_event).work(pipeline)


class _Worker:
    def __init__(self, run: Run, log: EventWriter, on_event: Callable[[Event], None] | None) -> None:
        self.run = run
        self.log = log
        self.on_event = on_event
        self.steering = Steering(run, self._steered)
        # A resumed run's clock goes on where the last worker's stopped.
        self.start = time.monotonic() - max((t for t, _ in run.events()), default=0.0)

    def work(self, pipeline: Pipeline | None) -> Status:
        with process.on_sigterm(self.steering.stop):
            self.run.update(
                status="running", worker=process.identity(), machine=machine.describe(), versions=machine.versions(),
                git_commit=machine.git_commit(), failure=None, result=None,
            )  # fmt: skip
            try:
                status = self._events(pipeline)
            except Stopped:
                status = self._end("stopped", Steered("stop"))
            except KeyboardInterrupt:
                self._end("stopped", Steered("stop"))
                raise
            except Exception as error:
                with contextlib.suppress(OSError), (self.run.folder / "worker.log").open("a") as details:
                    traceback.print_exc(file=details)
                failure = _failure(error, self.run)
                event = Failed(failure.code, failure.message, dict(failure.facts))
                status = self._end("failed", event, failure=asdict(event))
        return status

    def _events(self, pipeline: Pipeline | None) -> Status:
        self.steering.check()  # a stop or pause may have been asked for before the start
        if pipeline is None:
            self._first_frame()
            from core.engine import pipeline as engine  # imports torch: seconds

            pipeline = engine.run
        self.run.update(machine=self.run.data["machine"] | self._gpu())
        for event in pipeline(self.run, self.steering):
            if isinstance(event, Finished):
                if not self.run.features_kept:  # of some frames only, no map can be drawn from them
                    self.run.drop_features()
                return self._end("done", event, result=event.result)
            if isinstance(event, Scanned):
                self.run.update(target=event.target)
            self._append(event)
        raise RuntimeError("the pipeline ended without a result")

    def _first_frame(self) -> None:
        """Show the shipped starting map at once, if there is one for this victim, while torch is still loading."""
        if self.run.frame_count == 0:
            from core.engine import starting_map

            try:
                events = starting_map.offer(self.run)
            except (BadInput, OSError) as error:  # a damaged recording: the pipeline will make the frame itself
                print(f"no starting map: {error}", file=sys.stderr)
                return
            for event in events:
                self._append(event)

    def _gpu(self) -> dict[str, Any]:
        return {} if self.run.spec.device == "cpu" else machine.gpu()  # asking opens the GPU, which costs memory

    def _append(self, event: Event) -> None:
        self.log.append(time.monotonic() - self.start - self.steering.paused_seconds, event)
        if self.on_event:
            self.on_event(event)

    def _steered(self, status: Status, event: Steered) -> None:
        self.run.update(status=status)
        self._append(event)

    def _end(self, status: Status, event: Event, **changes: Any) -> Status:
        self._append(event)
        self.run.update(status=status, ended=now(), **changes)
        return status


def _failure(error: Exception, run: Run) -> BadInput:
    """The error as the user reads it."""
    if isinstance(error, BadInput):
        return error
    if (where := ran_out(error)) is not None:
        return BadInput(
            "out_of_memory",
            f"The {where} has too little free memory for this run; close other programs that use it, choose fewer "
            "points, start again with a smaller batch if it was purifying (on the command line --set batch=32), or "
            "with another device (cpu is slower, and usually has more memory).",
            device=where,
        )
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return BadInput(
            "disk_full",
            f"The disk that holds {run.folder} is full; make room and resume the run.",
            path=str(run.folder),
        )
    name = type(error).__name__
    return BadInput(
        "internal",
        f"Dissolve failed with {name}: {error}. This is a fault of Dissolve; worker.log in the run's folder says more.",
        error=name,
        detail=str(error),
        log=str(run.folder / "worker.log"),
    )


def main(folder: Path | str) -> int:
    """``python -m core work RUN``: exit status 0 when done or stopped, 1 when failed."""
    run = Run(folder)
    faulthandler.enable()  # a crash inside a library leaves its place in worker.log
    try:
        return 1 if work(run.folder) == "failed" else 0
    finally:
        if run.status in ENDED:  # otherwise ``work`` refused the run, which has another worker
            queue.start_next(run)
