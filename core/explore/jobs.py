"""What a process of ``python -m core explore`` tells of itself while it works."""

from __future__ import annotations

import contextlib
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from core.errors import BadInput
from core.explore import place
from core.runs import process
from core.runs.files import NOT_WRITTEN
from core.runs.record import Run

EVERY = 0.3  # seconds between two notes
Report = Callable[[str, float, float], None]  # stage, done, total


@contextmanager
def told(run: Run, kind: str, watch: Report | None = None) -> Iterator[Report]:
    """Inside: a function to report with, whose last word is on disk; at the end, how it ended.

    Args:
        watch: is told the same at once.
    """
    facts: dict[str, object] = {"worker": process.identity()}
    begun = time.monotonic()
    written = 0.0

    def report(stage: str, done: float, total: float) -> None:
        nonlocal begun, written
        if watch:
            watch(stage, done, total)
        now = time.monotonic()
        if not done:  # what came before, or the work on something else, says nothing of how long this takes
            begun = now
        spent = now - begun
        fresh = facts.get("stage") != stage
        facts.update(
            stage=stage, done=done, total=total, left=round(spent / done * (total - done), 1) if done else None
        )
        if fresh or (now - written > EVERY and stage != place.IDLE):
            written = now
            place.note(run, kind, **facts)

    place.note(run, kind, **facts)
    try:
        yield report
    except BadInput as fault:
        facts["failure"] = place.fault_of(fault)
        raise
    except Exception as fault:
        if isinstance(fault, OSError) and fault.errno in NOT_WRITTEN:
            lost = BadInput("place_lost", "The results could not be written; see that there is room on the disk.")
            facts["failure"] = place.fault_of(lost)
            raise lost from fault
        traceback.print_exc()  # into the log beside the notes: the words of a fault may hold this machine's paths
        facts["failure"] = place.fault_of(
            BadInput("explore_failed", f"The computation failed ({type(fault).__name__}).", error=type(fault).__name__)
        )
        raise
    finally:
        with contextlib.suppress(OSError):
            place.note(run, kind, **facts, ended=True)
