from __future__ import annotations

from collections.abc import Callable

import pytest

from core.fleet.progress import Progress


@pytest.fixture
def moments() -> list[float]:
    """What the clock shows is the last of them."""
    return [100.0]


@pytest.fixture
def progress(moments: list[float]) -> Progress:
    clock: Callable[[], float] = lambda: moments[-1]  # noqa: E731
    return Progress(clock)


def test_the_time_left_is_told_at_the_pace_of_the_runs_of_the_stage(progress: Progress, moments: list[float]) -> None:
    progress.begin("scan", 10)
    assert progress.seconds_left is None
    progress.add_model("had already")
    assert (progress.done, progress.seconds_left) == (1, None)
    moments.append(106.0)
    for name in ("a", "b"):
        progress.add_run()
        progress.add_model(name)
    assert progress.seconds_left == 3.0 * 7


def test_a_stage_begins_anew_and_the_work_goes_on(progress: Progress, moments: list[float]) -> None:
    progress.begin("scan", 2)
    progress.add_model("a")
    progress.add_model("a")
    assert progress.done == 1
    moments.append(130.0)
    progress.begin("purify", 1)
    assert (progress.stage, progress.done, progress.total, progress.seconds) == ("purify", 0, 1, 30.0)
    progress.add_model("a")
    progress.finish()
    assert (progress.stage, progress.done, progress.total) == ("done", 1, 1)
