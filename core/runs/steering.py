"""Pausing and stopping a run, on the side of its worker."""

from __future__ import annotations

import time
from collections.abc import Callable

from core.events import Steered
from core.runs.record import Run, Status

LOOK_EVERY = 0.05  # seconds between two reads of the control file, at least


class Stopped(Exception):
    """The run was told to stop. Whoever catches it may write a checkpoint, and must raise it again."""


class Steering:
    """Handed to the pipeline, which calls ``check`` between steps.

    Args:
        run: whose ``control`` file is obeyed.
        report: called with the new status and its event when the run is paused or resumed.
        clock, sleep: of time, in seconds.
    """

    def __init__(
        self,
        run: Run,
        report: Callable[[Status, Steered], None],
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._run = run
        self._report = report
        self._clock = clock
        self._sleep = sleep
        self._last_read = float("-inf")
        self._stop = False
        self.paused_seconds = 0.0

    def stop(self) -> None:
        """Stop at the next ``check``, whatever the control file says; safe in a signal handler."""
        self._stop = True

    def check(self, read: bool = False) -> None:
        """Return at once, or when a pause is over. Cheap: the file is read every 50 ms at most.

        Args:
            read: the file in any case.

        Raises:
            Stopped: the run was told to stop.
        """
        now = self._clock()
        if not (read or self._stop) and now - self._last_read < LOOK_EVERY:
            return
        self._last_read = now
        if self._word() == "pause":
            self._report("paused", Steered("pause"))
            while self._word() == "pause":
                self._sleep(LOOK_EVERY)
            self.paused_seconds += self._clock() - now
            if self._word() == "run":
                self._report("running", Steered("resume"))
        if self._word() == "stop":
            raise Stopped

    def _word(self) -> str:
        return "stop" if self._stop else self._run.control
