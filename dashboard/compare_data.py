"""What a comparison shows: runs of several defences on one model, their figures over time, and how much is left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import streamlit as st

from core.defenses import DEFENCES
from core.events import Event, Frame, StageStarted
from core.report.spread import Spread, spread
from core.runs.record import Run
from dashboard import data
from dashboard.digest import Digest

GROUP = "group"  # in the address and the session: which comparison is shown
VICTIM = "compare_victim"  # in the session: which model is chosen
START = 3.0  # seconds a worker takes to come up


class Point(NamedTuple):
    """Percent on the map's images, and seconds since the run's start; None where the run has no map."""

    seconds: float
    ba: float
    asr: float
    dissolution: float


@dataclass(frozen=True)
class Entry:
    """One defence in a comparison. ``status``: of the run, or "recording". ``curve``: its figures over time."""

    run: Run
    defence: str
    status: str
    digest: Digest
    curve: list[Point] = field(default_factory=list)

    @property
    def going(self) -> bool:
        return self.status in data.GOING

    @property
    def seed(self) -> int:
        return self.run.spec.seed

    @property
    def dissolved(self) -> float | None:
        """Percent after; None before the method is through, or without a map."""
        return self.curve[-1].dissolution if self.curve and self.digest.after else None

    @property
    def cost(self) -> float | None:
        """Seconds of scan and purification, which are what a defence costs; None before it has been through both."""
        seconds = self.digest.seconds
        return seconds.get("scan", 0.0) + seconds["purify"] if self.digest.after and "purify" in seconds else None

    @property
    def scan(self) -> float:
        """Seconds of the scan; 0 where the defence needs none."""
        return self.digest.seconds.get("scan", 0.0) if self.digest.scanned else 0.0


@dataclass(frozen=True)
class Method:
    """One line of a comparison: a defence with one run, or with several that differ in their seed."""

    defence: str
    entries: tuple[Entry, ...]

    @property
    def asr(self) -> Spread | None:
        return spread(entry.digest.after.asr for entry in self.entries if entry.digest.after)

    @property
    def ba(self) -> Spread | None:
        return spread(entry.digest.after.ba for entry in self.entries if entry.digest.after)

    @property
    def cost(self) -> Spread | None:
        return spread(entry.cost for entry in self.entries)

    @property
    def dissolved(self) -> Spread | None:
        return spread(entry.dissolved for entry in self.entries)


def methods(found: Sequence[Entry]) -> list[Method]:
    """The lines of a comparison, in the order of their first runs; a seed that a line has already begins another."""
    lines: dict[tuple[str, int], list[Entry]] = {}
    for number, entry in enumerate(found):
        again = sum((other.defence, other.seed) == (entry.defence, entry.seed) for other in found[:number])
        lines.setdefault((entry.defence, again), []).append(entry)
    return [Method(defence, tuple(line)) for (defence, _), line in lines.items()]


def seeds(found: Sequence[Entry]) -> list[int]:
    """The seeds of a comparison, in order."""
    return sorted({entry.seed for entry in found})


def entries(runs: Sequence[Run]) -> list[Entry]:
    """The runs of a comparison with all there is to show of them, in the order given."""
    found = []
    for run in runs:
        status = "recording" if run.is_recording else run.status
        found.append(Entry(run, str(run.spec.defence), status, data.digest_of(run), _curve_of(run)))
    return found


def _curve_of(run: Run) -> list[Point]:
    """Read again only where the event log has grown."""
    log = run.folder / "events.jsonl"
    return _curve(str(run.folder), log.stat().st_size if log.exists() else 0, _run=run)


@st.cache_data(max_entries=100, show_spinner=False)
def _curve(folder: str, size: int, _run: Run) -> list[Point]:
    return curve(_run.events())


def curve(events: Sequence[tuple[float, Event]]) -> list[Point]:
    """Figures over the seconds since the run's start: level until the purification begins, at an end when it is
    over. The last picture is drawn after the proof of the cure, which no other figure of a comparison counts as time.
    """
    points: list[Point] = []
    over: float | None = None
    for moment, event in events:
        if isinstance(event, Frame):
            points.append(Point(moment if over is None else over, event.ba, event.asr, event.dissolution))
        elif isinstance(event, StageStarted):
            over = moment if event.stage == "verify" else None
            if event.stage == "purify" and len(points) == 1:
                points.append(points[0]._replace(seconds=moment))
    return points


def recorded(victim: str, known: Sequence[Run] | None = None) -> list[Run]:
    """The shipped recordings of a victim that can be compared: one for each defence, same clean images and seed.

    Args:
        known: all runs and recordings, newest first, where they have been listed already.
    """
    shipped = [run for run in (data.runs() if known is None else known) if run.is_recording]
    main = next((run for run in shipped if run.spec.victim == victim and run.spec.defence == "mcl"), None)
    if main is None:
        return []
    same = ("victim", "images", "clean_budget", "seed", "points")
    order = main.spec
    runs = {
        run.spec.defence: run
        for run in reversed(shipped)
        if all(getattr(run.spec, name) == getattr(order, name) for name in same)
    }
    return [runs[name] for name in DEFENCES if name in runs]


def group(name: str | None) -> list[Run]:
    """The runs of one of the visitor's comparisons, in their order, methods we do not know last; none if there is no
    such."""
    known = list(DEFENCES)
    runs = [run for run in data.runs() if not run.is_recording and name and run.data.get("group") == name]
    places = {run.id: known.index(run.spec.defence) if run.spec.defence in known else len(known) for run in runs}
    return sorted(runs, key=lambda run: (run.id[:15], run.spec.seed, places[run.id]))


def comparisons(runs: Sequence[Run]) -> dict[str, str]:
    """Where runs can be seen beside others, by their id: a group, or "" for the recorded comparison of their victim.

    Args:
        runs: all runs and recordings, newest first.
    """
    groups = {run.id: str(name) for run in runs if not run.is_recording and (name := run.data.get("group"))}
    sizes = Counter(groups.values())
    victims = {run.id: run.spec.victim for run in runs}
    shown = {name for name in set(victims.values()) if name and len(recorded(name, runs)) > 1}
    found = {run_id: "" for run_id, name in victims.items() if name in shown}
    return found | {run_id: name for run_id, name in groups.items() if sizes[name] > 1}


def newest_group() -> str | None:
    """The visitor's newest comparison that is going on; None if none is."""
    for run in data.runs():
        if not run.is_recording and run.data.get("group") and run.status in data.GOING:
            return str(run.data["group"])
    return None


def progress(found: Sequence[Entry], known: Sequence[Entry]) -> tuple[float, float | None]:
    """How much of a comparison is done, 0-1, and how many seconds are left; None while nothing tells.

    Args:
        found: the comparison.
        known: finished runs of the same victim. How long a defence took there, times how much slower or faster what
            was done here went, is what it is expected to take.
    """
    reference = {entry.defence: total for entry in known if (total := entry.digest.total_seconds)}
    ended = [entry for entry in found if not entry.going]
    took = [(entry.defence, entry.digest.total_seconds or 0.0) for entry in ended if entry.digest.after]
    spent_here = sum(seconds for name, seconds in took if name in reference)
    spent_there = sum(reference[name] for name, _ in took if name in reference)
    pace = spent_here / max(1e-9, spent_there) if spent_there else 1.0
    done, left, unknown = sum(seconds for _, seconds in took), 0.0, False
    usual = done / len(took) if took else None
    for entry in found:
        if not entry.going:
            continue
        spent = entry.digest.total_seconds or 0.0
        expected = pace * reference[entry.defence] if entry.defence in reference else usual
        if expected is not None:
            expected += entry.digest.seconds_to_repeat
        now = entry.digest.progress
        if now is not None and now.stage == "purify" and now.seconds_left is not None:
            rest = now.seconds_left
        elif expected is not None:
            rest = max(0.0, expected - spent)
        else:
            unknown, rest = True, 0.0
        done += spent
        left += rest + (START if entry.status == "queued" else 0.0)
    if unknown:
        return len(ended) / max(1, len(found)), None
    return (done / (done + left) if left else 1.0), left
