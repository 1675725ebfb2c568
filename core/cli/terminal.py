"""What is shown on a terminal: progress bars on stderr, tables and a text curve on stdout."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

from tqdm import tqdm

from core.events import Event, Frame, Measured, Progress, Repeated, Rescan, Scanned, StageStarted, Steered, Step
from core.jobs import process
from core.words import clock

STAGE_NAMES = {
    "load": "Loading", "measure": "Measuring", "scan": "Scanning", "purify": "Purifying", "verify": "Measuring again",
}  # fmt: skip
RESCANS = {
    "unclear": "The signs are unclear: scanning once more, with images and starts drawn anew; the mean of both counts.",
    "statistics": "No sign, and the batch-norm statistics are not those of clean images: scanning again with these.",
}
BAR = "{desc:<16}|{bar:28}| {n_fmt}/{total_fmt}{postfix}"


def interactive() -> bool:
    """Whether stderr is a terminal."""
    return sys.stderr.isatty()


class RunBars:
    """One progress bar per stage of a run, fed by its events; silent if stderr is no terminal.

    Args:
        clock: seconds that go on.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._bar: tqdm | None = None
        self._stage = ""
        self._began = 0.0
        self._counted = False  # whether the stage reports its progress by itself
        self._figures = ""
        self._left: float | None = None
        self._number = 1  # of the purification

    def __enter__(self) -> RunBars:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def __call__(self, event: Event) -> None:
        if not interactive():
            return
        match event:
            case StageStarted(stage):
                self._open(stage)
            case Repeated(number, target):
                self._close()
                self._number = number
                print(f"The new scan names class {target} as well: purifying again, against it too.", file=sys.stderr)
            case Rescan(reason):
                if self._bar is not None:
                    self._bar.clear()
                print(RESCANS[reason], file=sys.stderr)
                self._show()
            case Progress(stage, done, total, left):
                self._counted = True
                self._move(stage, done, total, left)
            case Step(step, total) if not self._counted:
                self._move("purify", step, total, None)
            case Frame() | Measured():
                self._figures = f"accuracy {event.ba:.1f} %, attack success {event.asr:.1f} %"
                self._show()
            case Scanned():
                self._figures = f"target class {event.target}, anomaly index {event.anomaly_index:.1f}"
                self._show()
            case Steered(action) if action != "stop":
                self._figures = "paused" if action == "pause" else ""
                self._show()

    def _open(self, stage: str) -> None:
        self._close()
        self._stage, self._began, self._counted, self._figures, self._left = stage, self._clock(), False, "", None
        name = STAGE_NAMES.get(stage, stage) + (f" ({self._number})" if self._number > 1 else "")
        self._bar = tqdm(desc=name, total=1, bar_format=BAR, file=sys.stderr, dynamic_ncols=True)

    def _move(self, stage: str, done: int, total: int, left: float | None) -> None:
        if self._bar is None or stage != self._stage:
            self._open(stage)
            self._counted = True
        assert self._bar is not None
        elapsed = self._clock() - self._began
        self._left = left if left is not None else elapsed / done * (total - done) if done else None
        self._bar.total, self._bar.n = total, done
        self._show()

    def _show(self) -> None:
        if self._bar is not None:
            left = f"{clock(self._left)} left" if self._left else ""
            self._bar.set_postfix_str(", ".join(part for part in (left, self._figures) if part))

    def _close(self) -> None:
        if self._bar is not None:
            self._left = None
            self._bar.n = self._bar.total or 1
            self._show()
            self._bar.close()
            self._bar = None


class CountBar:
    """A progress bar for functions that report (done, total); silent if stderr is no terminal."""

    def __init__(self, name: str, unit: str = "") -> None:
        self._bar = tqdm(
            desc=name, unit=unit, unit_scale=unit == "B", file=sys.stderr, disable=not interactive(), dynamic_ncols=True
        )

    def __enter__(self) -> CountBar:
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.close()

    def __call__(self, done: int, total: int, note: str = "") -> None:
        self._bar.total = total
        self._bar.set_postfix_str(note, refresh=False)
        self._bar.update(done - self._bar.n)


def table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Columns in line; numbers to the right."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(line[i]) for line in [list(head), *cells]) for i in range(len(head))]
    right = [bool(rows) and all(isinstance(row[i], (int, float)) for row in rows) for i in range(len(head))]

    def line(row: Sequence[str]) -> str:
        parts = [c.rjust(w) if r else c.ljust(w) for c, w, r in zip(row, widths, right, strict=True)]
        return "  ".join(parts).rstrip()

    return "\n".join([line(head), "  ".join("-" * width for width in widths), *(line(row) for row in cells)])


def meter(percent: float, width: int = 20) -> str:
    """A bar for 0-100 %, in characters that every terminal has."""
    filled = round(min(max(percent, 0.0), 100.0) / 100 * width) if percent == percent else 0  # NaN: empty
    return "#" * filled + "." * (width - filled)


def terminated_like_interrupted() -> contextlib.AbstractContextManager[None]:
    """Inside, a request to terminate stops the workers as Ctrl-C does."""

    def interrupt() -> None:
        raise KeyboardInterrupt

    return process.on_sigterm(interrupt)
