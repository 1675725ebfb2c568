"""From the press on the button to the cure: the default victim, started as the dashboard starts it.

One viewer looks on from the press: a websocket client of a real server, see ``viewers``. A picture that the engine has
made is not yet one that is seen.
"""

from __future__ import annotations

import itertools
import statistics
import tempfile
import time
from pathlib import Path

from core import victims
from core.events import Event, Frame, StageStarted, Step
from core.runs.record import Run
from core.runs.spec import Spec
from tests.benchmarks.first_page import listening, server_at
from tests.benchmarks.viewers import Viewer
from tests.benchmarks.watch import environment, watch

CURED = 5.0  # percent, ASR
DROP = 2.0  # points of BA
PATIENCE = 600.0  # seconds
MOVED = 1.0  # points of ASR or BA by which two pictures differ where "something changes"


def rows(points: int = Spec.points, repeats: int = 1) -> list[tuple[str, str, str]]:
    """(figure, measured, asked for).

    The first run is the first one ever in its home, so it draws the road signs; ``repeats`` runs follow it, which
    find them drawn.
    """
    card = victims.card_of(victims.DEFAULT)
    spec = Spec(victim=card.name, images=card.data, points=points)
    found = []
    with (
        tempfile.TemporaryDirectory() as home,
        environment(DISSOLVE_HOME=Path(home)),
        server_at(Path(home)) as address,
    ):
        listening(address, time.monotonic())
        for number in range(1 + repeats):
            label = f"{card.name}, {points:,} points, " + ("first run in a new home" if number == 0 else "a later run")
            run, seen, ended, first = _watched(address, spec)
            found.append((f"{label}: press to first picture on the page", _seconds(first), "<= 1.5 s"))
            found += _timeline(label, seen, ended)
            found += _pace(label, seen)
            result = run.data["result"]
            found.append((f"{label}: device", str(result["device"]), "-"))
            found.append(
                (
                    f"{label}: BA before, after (whole test set)",
                    f"{result['ba_before']:.2f} %, {result['ba_after']:.2f} %",
                    f"drop <= {DROP:.0f} points",
                )
            )
            found.append(
                (
                    f"{label}: true ASR before, after (whole test set)",
                    f"{result['asr_before']:.2f} %, {result['asr_after']:.2f} %",
                    f"< {CURED:.0f} %",
                )
            )
            found.append(
                (
                    f"{label}: dissolution before, after",
                    f"{result['dissolution_before']:.1f} %, {result['dissolution_after']:.1f} %",
                    "-",
                )
            )
    return found


def _watched(address: str, spec: Spec) -> tuple[Run, list[tuple[float, float, Event]], float, float | None]:
    """One run as ``watch`` tells of it, and the seconds from the press until a viewer of it had the first picture."""
    viewers: list[Viewer] = []

    def look(run: Run) -> None:
        viewers.append(Viewer(address, run.id))
        viewers[0].start()

    pressed = time.time()
    try:
        run, seen, ended = watch(spec, PATIENCE, look)
    finally:
        for viewer in viewers:
            viewer.stop()
    if viewers[0].fault is not None:
        raise RuntimeError(f"the viewer broke off: {viewers[0].fault!r}") from viewers[0].fault
    first = min(viewers[0].seen.values(), default=None)
    return run, seen, ended, None if first is None else first - pressed


def _timeline(label: str, seen: list[tuple[float, float, Event]], ended: float) -> list[tuple[str, str, str]]:
    frames = [(seconds, event) for seconds, _, event in seen if isinstance(event, Frame)]
    start = frames[0][1].ba
    moved = next((seconds for seconds, frame in frames if frame.step > 0), None)
    cured = next((seconds for seconds, f in frames if f.asr < CURED and start - f.ba <= DROP), None)
    # the first moment from which it stays cured, not one that happens to pass
    stays = None
    for seconds, frame in frames:
        good = frame.asr < CURED and start - frame.ba <= DROP
        stays = (seconds if stays is None else stays) if good else None
    stages = [(seconds, event.stage) for seconds, _, event in seen if isinstance(event, StageStarted)]
    ends = [*(seconds for seconds, _ in stages[1:]), ended]
    spent = ", ".join(f"{stage} {end - begin:.1f}" for (begin, stage), end in zip(stages, ends, strict=True))
    return [
        (f"{label}: press to first frame on record", _seconds(frames[0][0]), "<= 1.5 s"),
        (f"{label}: press to first frame of a training step", _seconds(moved), "-"),
        (f"{label}: press to ASR < 5 % with BA down by at most 2 points (first)", _seconds(cured), "<= 30 s"),
        (f"{label}: the same, for good", _seconds(stays), "<= 30 s"),
        (f"{label}: press to done", _seconds(ended), "-"),
        (f"{label}: seconds per stage, by the wall clock", spent, "-"),
    ]


def _pace(label: str, seen: list[tuple[float, float, Event]]) -> list[tuple[str, str, str]]:
    """Map updates and steps a second while the model is trained, and the longest pause between two updates."""
    steps = [t for _, t, event in seen if isinstance(event, Step)]
    frames = [(t, event) for _, t, event in seen if isinstance(event, Frame) and steps and steps[0] <= t <= steps[-1]]
    if len(frames) < 2:
        return [(f"{label}: map updates a second", f"{len(frames)} frames only", ">= 3")]
    span = steps[-1] - steps[0]
    gaps = [(after[0] - before[0], _moved(before[1], after[1])) for before, after in itertools.pairwise(frames)]
    early = [t for t, _ in frames if t - frames[0][0] <= 5.0]
    pace = (
        f"{len(frames) / span:.1f} over {span:.1f} s; {len(early) / min(5.0, span):.1f} in the first 5 s; "
        f"median gap {statistics.median(gap for gap, _ in gaps):.2f} s"
    )
    changing = max((gap for gap, moved in gaps if moved), default=0.0)
    longest = f"{changing:.2f} s (of all, {max(gap for gap, _ in gaps):.2f} s)"
    return [
        (f"{label}: map updates a second while training", pace, ">= 3"),
        (f"{label}: longest pause of the map while ASR or BA moves by {MOVED:g} point", longest, "<= 1 s"),
        (f"{label}: optimiser steps a second, frames included", f"{(len(steps) - 1) / span:.1f} of {len(steps)}", "-"),
    ]


def _moved(before: Frame, after: Frame) -> bool:
    return max(abs(after.asr - before.asr), abs(after.ba - before.ba)) >= MOVED


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:.1f} s"


if __name__ == "__main__":
    for row in rows():
        print(" | ".join(row))
