"""Pausing, resuming and stopping, seen from inside a run."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from core.events import Steered
from core.runs import record
from core.runs.record import Run
from core.runs.spec import Spec
from core.runs.steering import Steering, Stopped


class Clock:
    """Time that passes only when somebody sleeps; ``at`` says what happens when."""

    def __init__(self) -> None:
        self.time = 0.0
        self.at: list[tuple[float, Callable[[], None]]] = []

    def __call__(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds
        for moment, act in [entry for entry in self.at if entry[0] <= self.time]:
            self.at.remove((moment, act))
            act()


@pytest.fixture
def run(spec: Spec) -> Run:
    return record.create(spec)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def told() -> list[tuple[str, str]]:
    return []


@pytest.fixture
def steering(run: Run, clock: Clock, told: list[tuple[str, str]]) -> Steering:
    def report(status: str, event: Steered) -> None:
        told.append((status, event.action))

    return Steering(run, report, clock, clock.sleep)


def test_without_a_word_it_goes_on(steering: Steering, clock: Clock, told: list) -> None:
    steering.check()
    assert (clock.time, steering.paused_seconds, told) == (0.0, 0.0, [])


def test_a_pause_lasts_until_told_and_is_counted(run: Run, steering: Steering, clock: Clock, told: list) -> None:
    run.tell("pause")
    clock.at.append((30.0, lambda: run.tell("run")))
    steering.check()
    assert told == [("paused", "pause"), ("running", "resume")]
    assert steering.paused_seconds == pytest.approx(30, abs=0.1)
    assert clock.time == steering.paused_seconds


def test_stop_raises_also_out_of_a_pause(run: Run, steering: Steering, clock: Clock, told: list) -> None:
    run.tell("pause")
    clock.at.append((1.0, lambda: run.tell("stop")))
    with pytest.raises(Stopped):
        steering.check()
    assert told == [("paused", "pause")]


def test_a_signal_ends_a_pause_too(run: Run, steering: Steering, clock: Clock) -> None:
    run.tell("pause")
    clock.at.append((1.0, steering.stop))
    with pytest.raises(Stopped):
        steering.check()


def test_the_file_is_looked_at_every_50_ms_at_most(run: Run, steering: Steering, clock: Clock) -> None:
    steering.check()
    run.tell("stop")
    clock.time = 0.03
    steering.check()
    clock.time = 0.06
    with pytest.raises(Stopped):
        steering.check()


def test_whoever_knows_that_something_was_asked_need_not_wait(run: Run, steering: Steering) -> None:
    steering.check()
    run.tell("stop")
    with pytest.raises(Stopped):
        steering.check(read=True)


def test_an_unknown_word_means_run(run: Run, steering: Steering) -> None:
    (run.folder / "control").write_text("dance")
    steering.check()
    assert run.control == "run"
