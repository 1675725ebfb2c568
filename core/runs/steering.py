"""How a run that is going on is paused, resumed and stopped, seen from inside it."""

from __future__ import annotations

import time
from collections.abc import Callable

from core.events import Steered
from core.runs.record import Run, Status

LOOK_EVERY = 0.05  # seconds between two looks at the control file


class Stopped(Exception):
    """The run was told to stop. Whoever catches it may write a checkpoint, and must raise it again."""


class Steering:
    """Handed to the pipeline, which calls ``check`` between steps.

    Args:
        run: whose ``control`` file is obeyed.
        report: told when the run changes hands: the new status and the event that belongs to it.
        clock, sleep: seconds that go on, and waiting for them.
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
        self._looked = float("-inf")
        self._stop = False
        self.paused_seconds = 0.0

    def stop(self) -> None:
        """Stop at the next ``check``, whatever the control file says; safe in a signal handler."""
        self._stop = True

    def check(self) -> None:
        """Return at once, or when a pause is over. Cheap: the file is looked at every 50 ms at most.

        Raises:
            Stopped: the run was told to stop.
        """
        now = self._clock()
        if not self._stop and now - self._looked < LOOK_EVERY:
            return
        self._looked = now
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
