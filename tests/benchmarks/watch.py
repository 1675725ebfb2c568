"""What the benchmarks that start real runs share: a home of their own, and a stopwatch beside a run."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from core.errors import BadInput
from core.events import Event
from core.runs import supervisor
from core.runs.record import ENDED, Run
from core.runs.spec import Spec

LOOK_EVERY = 0.02  # seconds between two looks at the event log
LOOK_AT_STATUS_EVERY = 0.5


@contextlib.contextmanager
def environment(**variables: Path) -> Iterator[None]:
    """Inside: these environment variables, for this process and those it starts."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update({name: str(value) for name, value in variables.items()})
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def watch(
    spec: Spec, patience: float, begun: Callable[[Run], None] = lambda run: None
) -> tuple[Run, list[tuple[float, float, Event]], float]:
    """Start a run as the dashboard's button does, and look at its record as the dashboard does.

    Args:
        spec: the run's order.
        patience: seconds until a run that does not end is given up.
        begun: is called with the run as soon as it has been started.

    Returns:
        the run; its events, each with the seconds from the press until it could be read, and its own ``t``; and the
        seconds from the press until the run had ended.

    Raises:
        RuntimeError: the run ended otherwise than "done", or not within ``patience``.
    """
    pressed = time.monotonic()
    run = supervisor.start(spec)
    begun(run)
    reader, seen, asked = run.reader(), [], 0.0
    while True:
        now = time.monotonic() - pressed
        seen += [(now, t, event) for t, event in reader.read()]
        if now - asked > LOOK_AT_STATUS_EVERY or (seen and seen[-1][2].type in ("finished", "failed")):
            asked = now
            if run.status in ENDED:
                break
        if now > patience:
            with contextlib.suppress(BadInput):
                supervisor.kill(run)
            raise RuntimeError(f"the run did not end within {patience:.0f} s")
        time.sleep(LOOK_EVERY)
    seen += [(now, t, event) for t, event in reader.read()]
    if run.status != "done":
        raise RuntimeError(f"the run ended as {run.status}: {run.data['failure']}")
    return run, seen, now
