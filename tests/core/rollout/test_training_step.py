from __future__ import annotations

from itertools import count

import pytest

from core.rollout.training_step import PASSES, STEPS, measure
from core.runs.record import Run


def test_the_time_of_a_step_is_the_median_over_passes_without_the_first(run: Run) -> None:
    """A clock that goes on by a second whenever it is asked: a pass of 4 steps took one. The first one is left out."""
    ticks = count()
    shown: list[tuple[int, int]] = []
    step = measure(run, lambda done, total: shown.append((done, total)), clock=lambda: float(next(ticks)))
    assert step.seconds == pytest.approx(1 / STEPS)
    assert (step.batch, step.timed, step.arch) == (128, PASSES * STEPS, "small")
    assert shown[-1] == (PASSES + 1, PASSES + 1)


def test_no_pass_begins_once_it_took_long(run: Run) -> None:
    ticks = count(step=15)
    assert measure(run, clock=lambda: float(next(ticks))).timed == STEPS
