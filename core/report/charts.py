"""The report's charts as inline SVG: pure functions of numbers, small in bytes, sharp in print.

Vermilion is the attack and blue is clean, as everywhere in Dissolve; what a mark means also shows in its shape.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.compute.intervals import Interval
from core.report.markup import Markup, el, join

ATTACK, CLEAN = "#b34e00", "#0072b2"  # dark enough for text on white (WCAG AA)
QUIET, LINE, PALE = "#59636c", "#c9d0d6", "#e3e8ec"
MAP = (1000, 440)  # width and height of a map, in its own units
RING = 7
MAX_BARS = 60  # classes in the chart


def change(before: float, after: float | None, low_high: Sequence[Interval | None], colour: str, label: str) -> Markup:
    """A share before and after on a line from 0 to 100 %: a ring and a dot, each with its 95 % interval.

    Args:
        before, after: percent; ``after`` None where there is none.
        low_high: the interval of each.
        label: what it shows, in words.
    """

    def x(percent: float) -> float:
        return 6 + 1.88 * percent

    parts = [
        el("line", x1=x(0), x2=x(100), y1=8, y2=8, stroke=LINE),
        *(el("line", x1=x(tick), x2=x(tick), y1=5, y2=11, stroke=LINE) for tick in (0, 50, 100)),
    ]
    if after is not None:
        parts.append(el("line", x1=x(before), x2=x(after), y1=8, y2=8, stroke=colour, stroke_width=1.5))
    for value, interval, fill in ((before, low_high[0], "#fff"), (after, low_high[1], colour)):
        if value is None:
            continue
        if interval is not None:
            parts.append(
                el("path", d=f"M{x(interval.low):.1f} 1v14M{x(interval.high):.1f} 1v14", stroke=colour, fill="none")
            )
        parts.append(el("circle", cx=x(value), cy=8, r=4, fill=fill, stroke=colour, stroke_width=1.5))
    return _svg(200, 16, label, *parts)


def bars(sizes: Sequence[float | None], chosen: int, label: str) -> Markup:
    """One bar a class: the size of the smallest change that makes the model answer it; pale where none was found.

    Args:
        sizes: of each class, in pixels. Beyond ``MAX_BARS`` classes the smallest are shown.
        chosen: the class in the attack's colour.
    """
    known = [size for size in sizes if size is not None and np.isfinite(size)]
    top = max(known, default=1.0) or 1.0
    order = range(len(sizes))
    if len(sizes) > MAX_BARS:
        smallest = sorted(order, key=lambda k: _size(sizes[k]))[:MAX_BARS]
        order = sorted({*smallest, chosen})  # type: ignore[assignment]
    shown = list(order)
    pitch = 240 / max(len(shown), 1)
    width = max(pitch * 0.7, 1.2)
    parts = [el("line", x1=0, x2=240, y1=84.5, y2=84.5, stroke=LINE)]
    for place, k in enumerate(shown):
        found = np.isfinite(_size(sizes[k]))
        height = max(80 * _size(sizes[k]) / top, 1.5) if found else 80.0
        colour = ATTACK if k == chosen else CLEAN if found else PALE
        parts.append(
            el("rect", x=place * pitch + (pitch - width) / 2, y=84 - height, width=width, height=height, fill=colour)
        )
    return _svg(240, 86, label, *parts)


def way(shares: Sequence[float], asr: Sequence[float], ba: Sequence[float] | None, label: str) -> Markup:
    """Attack success, solid with dots, and accuracy, dashed, along the way back to the victim; 0 to 100 %.

    Args:
        shares: of the way, ascending from 0; as many as there are figures, at least two.
        asr, ba: percent.
        label: what it shows, in words.
    """
    end = max(shares) or 1.0

    def places(percents: Sequence[float]) -> list[tuple[float, float]]:
        return [(5 + 150 * s / end, 45 - 0.4 * min(max(p, 0.0), 100.0)) for s, p in zip(shares, percents, strict=True)]

    def line(percents: Sequence[float], colour: str, dashes: str | None = None) -> Markup:
        d = "L".join(f"{x:.1f} {y:.1f}" for x, y in places(percents))
        return el("path", d=f"M{d}", stroke=colour, stroke_width=1.5, fill="none", stroke_dasharray=dashes)

    return _svg(
        160,
        50,
        label,
        *(el("line", x1=5, x2=155, y1=y, y2=y, stroke=LINE if y == 45 else PALE) for y in (5, 25, 45)),
        line(ba, CLEAN, "4 3") if ba else Markup(""),
        line(asr, ATTACK),
        *(el("circle", cx=x, cy=y, r=2.2, fill=ATTACK) for x, y in places(asr)),
    )


def grade(state: str) -> Markup:
    """The sign of a cure's grade, each of a shape of its own: a tick, a question, a cross; a dash without a grade."""
    signs = {
        "holds": (CLEAN, "M5.5 10.5l3 3l6-7"),
        "doubt": (QUIET, "M7 8a3 3 0 1 1 4.5 2.6q-1.5.8-1.5 2.2M10 15.2v.3"),
        "failed": (ATTACK, "M6.5 6.5l7 7M13.5 6.5l-7 7"),
    }
    colour, d = signs.get(state, (QUIET, "M6 10h8"))
    outline = "3 2.2" if state == "doubt" else None
    ring = el("circle", cx=10, cy=10, r=8.6, fill="none", stroke=colour, stroke_width=1.8, stroke_dasharray=outline)
    sign = el("path", d=d, fill="none", stroke=colour, stroke_width=2, stroke_linecap="round")
    return el("svg", ring, sign, cls="sign", viewBox="0 0 20 20", aria_hidden="true")


def _size(size: float | None) -> float:
    return float("inf") if size is None or not np.isfinite(size) else float(size)


def feature_map(
    coords: np.ndarray, triggered: np.ndarray, misled: np.ndarray, box: tuple[np.ndarray, float], label: str
) -> Markup:
    """A map: dots for clean images, rings for those with the trigger, heavy ones where it misleads the model.

    Args:
        coords: (n, 2) or (n, 3); seen from the front.
        triggered, misled: bool (n,).
        box: of ``bounds``; the same one for maps that are to be compared.
    """
    middle, scale = box
    places = np.rint((coords[:, :2] - middle) * (scale, -scale) + np.array(MAP) / 2)
    places = np.nan_to_num(places, nan=-99.0, posinf=-99.0, neginf=-99.0).astype(int)
    dots = "".join(f"M{x} {y}h0" for x, y in places[~triggered])
    ring = f"a{RING} {RING} 0 1 0 {2 * RING} 0a{RING} {RING} 0 1 0 -{2 * RING} 0"
    heavy, light = (
        "".join(f"M{x - RING} {y}{ring}" for x, y in places[rows]) for rows in (triggered & misled, triggered & ~misled)
    )
    return _svg(
        *MAP,
        label,
        el("path", d=dots, stroke=CLEAN, stroke_width=8, stroke_linecap="round", opacity=0.6),
        el("path", d=light, stroke=CLEAN, stroke_width=1.4, fill="none"),
        el("path", d=heavy, stroke=ATTACK, stroke_width=2.5, fill=ATTACK, fill_opacity=0.12),
        cls="map",
    )


def bounds(*maps: np.ndarray) -> tuple[np.ndarray, float]:
    """The middle and the scale with which all of these coordinates, each (n, 2), fit into a map with some air."""
    points = np.concatenate([coords[:, :2] for coords in maps])
    points = points[np.isfinite(points).all(1)]
    if not len(points):
        return np.zeros(2), 1.0
    low, high = points.min(0), points.max(0)
    room = np.array(MAP) - 6 * RING
    scale = float((room / np.maximum(high - low, 1e-9)).min())
    return (low + high) / 2, scale


def facing(coords: np.ndarray) -> np.ndarray:
    """The turn, (3, 3), with which a map of three dimensions shows its widest side; the unit for one of two."""
    if coords.shape[1] < 3:
        return np.eye(coords.shape[1])
    points = coords[np.isfinite(coords).all(1)]
    if len(points) < 3:
        return np.eye(3)
    return np.linalg.svd(points - points.mean(0), full_matrices=False)[2].T


def mark(kind: str) -> Markup:
    """The mark of a legend: "clean", "misled" or "freed"."""
    shape = {
        "clean": el("circle", cx=5, cy=5, r=2.4, fill=CLEAN),
        "misled": el("circle", cx=5, cy=5, r=3.6, fill=ATTACK, fill_opacity=0.12, stroke=ATTACK, stroke_width=1.3),
        "freed": el("circle", cx=5, cy=5, r=3.6, fill="none", stroke=CLEAN, stroke_width=0.7),
    }[kind]
    return el("svg", shape, cls="mark", viewBox="0 0 10 10", aria_hidden="true")


def _svg(width: int, height: int, label: str, *parts: Markup, cls: str | None = None) -> Markup:
    return el("svg", join(*parts), viewBox=f"0 0 {width} {height}", role="img", aria_label=label, cls=cls)
