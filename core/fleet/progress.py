"""How far the work of a fleet is: the stage, the models that are done in it, and the time left at its pace."""

from __future__ import annotations

from collections.abc import Callable


class Progress:
    """The progress of one start of a fleet's work.

    Args:
        clock: seconds.

    Attributes:
        stage: "scan", "purify" or "done".
        total: models of the stage.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self._began = self._stage_began = clock()
        self.stage, self.total = "scan", 0
        self._done: set[str] = set()
        self._runs = 0

    def begin(self, stage: str, total: int) -> None:
        self.stage, self.total = stage, total
        self._done, self._runs, self._stage_began = set(), 0, self.clock()

    def finish(self) -> None:
        """Nothing is left to be done; what was done in the last stage still counts."""
        self.stage = "done"

    def add_model(self, name: str) -> None:
        """A model is done in this stage; one that was done already counts once."""
        self._done.add(name)

    def add_run(self) -> None:
        """A run ended in this stage."""
        self._runs += 1

    @property
    def done(self) -> int:
        return len(self._done)

    @property
    def seconds(self) -> float:
        """Since the beginning of the work."""
        return round(self.clock() - self._began, 1)

    @property
    def seconds_left(self) -> float | None:
        """At the pace of the runs that ended in this stage; those that were there already took no time."""
        spent, left = self.clock() - self._stage_began, self.total - self.done
        return round(spent / self._runs * left, 1) if self._runs else None
