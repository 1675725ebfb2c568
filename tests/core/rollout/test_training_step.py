from __future__ import annotations

from itertools import count

import pytest

from core.rollout.training_step import STEPS, measure
from core.runs.record import Run


def test_the_time_of_a_step_is_the_median_over_passes_without_the_first(run: Run) -> None:
    """Of three passes, the first took 10 seconds, the others 1 and 2."""
    moments = iter([0.0, 10.0, 11.0, 13.0])
    shown: list[tuple[int, int]] = []
    step = measure(run, lambda done, total: shown.append((done, total)), clock=lambda: next(moments), passes=2)
    assert step.seconds == pytest.approx(1.5 / STEPS)
    assert (step.batch, step.timed, step.arch) == (128, 2 * STEPS, "small")
    assert shown == [(1, 3), (2, 3), (3, 3)]


def test_no_pass_begins_once_it_took_long(run: Run) -> None:
    ticks = count(step=15)
    assert measure(run, clock=lambda: float(next(ticks))).timed == STEPS
