"""What a process of the data room tells the page of itself while it works."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from core.dataroom import place
from core.errors import BadInput
from core.runs import process

EVERY = 0.5  # seconds between two notes


@contextmanager
def noted(folder: Path) -> Iterator[Callable[[str, int, int], None]]:
    """Inside: a function that takes (stage, done, total), whose last word is in ``job.json``; then how it ended."""
    facts: dict[str, object] = {"worker": process.identity()}
    begun = written = time.monotonic()

    def report(stage: str, done: int, total: int) -> None:
        nonlocal begun, written
        now = time.monotonic()
        fresh = facts.get("stage") != stage
        if fresh or not done:
            begun = now
        left = round((now - begun) / done * (total - done), 1) if done else None
        facts.update(stage=stage, done=done, total=total, left=left)
        if fresh or now - written > EVERY:
            written = now
            place.note(folder, **facts)

    folder.mkdir(parents=True, exist_ok=True)
    place.note(folder, **facts)
    try:
        yield report
    except BadInput as fault:
        facts["failure"] = place.fault_of(fault)
        raise
    except Exception as fault:
        failed = BadInput(
            "explore_failed", f"The computation failed ({type(fault).__name__}).", error=type(fault).__name__
        )
        facts["failure"] = place.fault_of(failed)
        raise
    finally:
        with contextlib.suppress(OSError):
            place.note(folder, **facts, ended=True)
