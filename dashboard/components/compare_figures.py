"""Figures of a comparison: curves over time, the BA-ASR plane, small maps. Pure functions of numbers and words.

Every method has a colour, a shape and a dash of its own, so that none is told by colour alone; none wears the colours
of the attack and of the clean.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dashboard.palette import ATTACK, CLEAN, GRID, NEUTRAL, class_marks

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from dashboard.compare_data import Point


class MethodMark(NamedTuple):
    """``colour`` as #RRGGBB, ``symbol`` and ``dash`` as plotly.js names them."""

    colour: str
    symbol: str
    dash: str


MARKS = {
    "mcl": MethodMark("#009E73", "circle", "solid"),
    "ft": MethodMark("#8A8F98", "square", "dash"),
    "fp": MethodMark("#CC79A7", "diamond", "dashdot"),
    "nad": MethodMark("#7A5BD0", "triangle-up", "longdash"),
    "nc": MethodMark("#B59B00", "x", "dot"),
    "anp": MethodMark("#6B8E23", "triangle-down", "12px,3px"),
    "ibau": MethodMark("#9C2F7F", "cross", "3px,6px"),
    "ft_sam": MethodMark("#4F5666", "triangle-left", "8px,3px,2px,3px"),
    "sau": MethodMark("#2A9DA8", "hexagon", "16px,4px,4px,4px"),
}
UNKNOWN = MethodMark("#6E5B4B", "pentagon", "longdashdot")  # of a newer version, or written by hand
RISE = 17  # pixels between two labels
BESIDE, CLEAR = 12, 24  # pixels from a mark to its label; where another mark is near, the label stands off both


def mark_of(defence: str) -> MethodMark:
    """How a method is told from the others."""
    return MARKS.get(defence, UNKNOWN)


class Line(NamedTuple):
    """One run's curve: ``defence`` as for ``mark_of``, ``name`` the reader's word for it."""

    defence: str
    name: str
    points: Sequence[Point]


class Place(NamedTuple):
    """Where one method ended on the plane, percent: of several seeds the means, and the least and the greatest."""

    defence: str
    name: str
    ba: float
    asr: float
    ba_ends: tuple[float, float] | None = None
    asr_ends: tuple[float, float] | None = None


def curves_figure(lines: Sequence[Line], words: Mapping[str, str]) -> go.Figure:
    """Attack success, accuracy and dissolution of every method over the seconds, one below the other.

    Args:
        lines: the methods.
        words: ``asr``, ``ba``, ``dissolved`` (titles of the rows), ``seconds`` (title of the axis) and
            ``percent`` (the sign, with its space).
    """
    from plotly.subplots import make_subplots

    figure: go.Figure = make_subplots(rows=3, cols=1, shared_xaxes=True, vertical_spacing=0.075)
    rows = (("asr", words["asr"], ATTACK), ("ba", words["ba"], CLEAN), ("dissolution", words["dissolved"], NEUTRAL))
    for number, (figure_of, title, colour) in enumerate(rows, 1):
        known: set[str] = set()
        for line in lines:
            mark, first = mark_of(line.defence), line.name not in known
            known.add(line.name)
            figure.add_scatter(
                row=number, col=1, mode="lines", name=line.name, legendgroup=line.defence,
                showlegend=number == 1 and first,
                x=[point.seconds for point in line.points], y=[getattr(point, figure_of) for point in line.points],
                line={"color": mark.colour, "dash": mark.dash, "width": 3 if line.defence == "mcl" else 2},
                hovertemplate=f"{line.name}: %{{y:.1f}}{words['percent']}, %{{x:.0f}} s<extra></extra>",
            )  # fmt: skip
        # the reader's own words beside the row; their colour is the attack's or the clean's
        figure.add_annotation(
            text=f"<b>{title}</b>", x=0, y=1.0, xref="x domain", yref=f"y{number if number > 1 else ''} domain",
            xanchor="left", yanchor="bottom", showarrow=False, font={"color": colour, "size": 13},
        )  # fmt: skip
    figure.update_xaxes(showgrid=False, zeroline=False, fixedrange=True, rangemode="tozero")
    figure.update_xaxes(title={"text": words["seconds"]}, row=3, col=1)
    figure.update_yaxes(gridcolor=GRID, zeroline=False, fixedrange=True, ticksuffix=words["percent"])
    for number in (1, 3):
        figure.update_yaxes(range=[-4, 104], row=number, col=1, **_shares(words["percent"], 0, 50, 100))
    figure.update_layout(
        height=560, margin={"l": 8, "r": 8, "t": 56, "b": 48}, paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)", legend={"orientation": "h", "x": 0, "y": 1.06, "yanchor": "bottom"},
    )  # fmt: skip
    return figure


def plane_figure(before: tuple[float, float], places: Sequence[Place], words: Mapping[str, str]) -> go.Figure:
    """Accuracy against attack success: an arrow from the backdoored model to where each method left it.

    Args:
        before: BA and ASR, percent.
        places: where the methods ended.
        words: ``asr``, ``ba`` (titles of the axes), ``before`` (label of the backdoored model) and
            ``percent`` (the sign, with its space).
    """
    import plotly.graph_objects as go

    ba, asr = before
    levels = [ba, *(level for place in places for level in (place.ba, *(place.ba_ends or ())))]
    low, high = min(levels), max(levels)
    margin = max(1.0, 0.18 * (high - low))
    top = min(high + margin, 100.4)  # no tick above 100 %
    height = 430
    figure = go.Figure()
    figure.add_scatter(
        x=[asr], y=[ba], mode="markers+text", text=[words["before"]], textposition="top left", hoverinfo="skip",
        marker={"color": ATTACK, "symbol": "star", "size": 14}, showlegend=False, cliponaxis=False,
    )  # fmt: skip
    pixels = (height - 120) / (top - low + margin)
    rises = apart([place.ba * pixels for place in places], RISE)
    for place, rise in zip(places, rises, strict=True):
        mark = mark_of(place.defence)
        figure.add_annotation(
            x=place.asr, y=place.ba, ax=asr, ay=ba, axref="x", ayref="y", text="", showarrow=True, arrowhead=2,
            arrowwidth=1.2, arrowcolor=mark.colour, opacity=0.55, standoff=8, startstandoff=10,
        )  # fmt: skip
        figure.add_scatter(
            x=[place.asr], y=[place.ba], mode="markers", showlegend=False, cliponaxis=False,
            marker={"color": mark.colour, "symbol": mark.symbol, "size": 13},
            error_x=_bar(place.asr, place.asr_ends, mark.colour), error_y=_bar(place.ba, place.ba_ends, mark.colour),
            hovertemplate=f"{place.name}: {words['asr']} {_told('x', place.asr_ends, words['percent'])}, "
            f"{words['ba']} {_told('y', place.ba_ends, words['percent'])}<extra></extra>",
        )  # fmt: skip
        figure.add_annotation(
            x=place.asr, y=place.ba, text=place.name, showarrow=False, xanchor="right",
            xshift=-CLEAR if rise else -BESIDE, yshift=rise, font={"size": 13},
        )  # fmt: skip
    figure.update_xaxes(
        title={"text": words["asr"]}, range=[-17, 108], gridcolor=GRID, zeroline=False, fixedrange=True,
        **_shares(words["percent"], 0, 25, 50, 75, 100),
    )  # fmt: skip
    figure.update_yaxes(
        title={"text": words["ba"]}, range=[low - margin, top], ticksuffix=words["percent"], gridcolor=GRID,
        zeroline=False, fixedrange=True,
    )  # fmt: skip
    figure.update_layout(
        height=height, margin={"l": 8, "r": 8, "t": 16, "b": 48}, paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
    )  # fmt: skip
    return figure


def _bar(middle: float, ends: tuple[float, float] | None, colour: str) -> dict[str, Any]:
    """From the least to the greatest value."""
    if ends is None:
        return {"visible": False}
    return {
        "type": "data", "symmetric": False, "array": [ends[1] - middle], "arrayminus": [middle - ends[0]],
        "color": colour, "thickness": 1.6, "width": 5,
    }  # fmt: skip


def _told(axis: str, ends: tuple[float, float] | None, percent: str) -> str:
    """A figure where the mouse is, with its range."""
    return f"%{{{axis}:.1f}}{percent}" + (f" ({ends[0]:.1f}–{ends[1]:.1f})" if ends else "")


def _shares(percent: str, *values: int) -> dict[str, list[Any]]:
    """Ticks at these percentages; plotly.js puts no suffix on ticks that are given."""
    return {"tickvals": list(values), "ticktext": [f"{value}{percent}" for value in values]}


def apart(levels: Sequence[float], gap: float) -> list[float]:
    """How far each label has to move so that no two are nearer than ``gap``; their order stays.

    Labels that are too near are set at equal distances around their middle.
    """
    order = sorted(range(len(levels)), key=lambda k: levels[k])
    blocks: list[list[int]] = []
    for k in order:
        blocks.append([k])
        while len(blocks) > 1 and _bottom(blocks[-1], levels, gap) - _top(blocks[-2], levels, gap) < gap:
            last = blocks.pop()
            blocks[-1] += last
    moved = [0.0] * len(levels)
    for block in blocks:
        for place, k in enumerate(block):
            moved[k] = _bottom(block, levels, gap) + place * gap - levels[k]
    return moved


def _bottom(block: Sequence[int], levels: Sequence[float], gap: float) -> float:
    return sum(levels[k] for k in block) / len(block) - gap * (len(block) - 1) / 2


def _top(block: Sequence[int], levels: Sequence[float], gap: float) -> float:
    return _bottom(block, levels, gap) + gap * (len(block) - 1)


def box_of(places: Sequence[np.ndarray]) -> tuple[np.ndarray, float]:
    """The square that holds all points of several maps: its lower corner (2,) and its side.

    Args:
        places: coordinates (n, 2) each; points that are not finite are passed over.
    """
    every = np.concatenate([map_[:, :2] for map_ in places])
    every = every[np.isfinite(every).all(1)]
    if not len(every):
        return np.zeros(2), 1.0
    low, high = every.min(0), every.max(0)
    side = max(float((high - low).max()), 1e-9)
    return (low + high - side) / 2, side


def small_map(
    coords: np.ndarray,
    labels: np.ndarray,
    triggered: np.ndarray,
    misled: np.ndarray,
    box: tuple[np.ndarray, float],
    size: int = 440,
) -> np.ndarray:
    """A map as a picture, uint8 (size, size, 4), on no ground: classes by colour, triggered points ringed on top.

    The ring is in the colour of the attack where the trigger misleads the model, and in that of the clean elsewhere.

    Args:
        coords: (n, 2) or (n, 3), of which the first two count.
        labels: true classes, (n,). triggered, misled: bool, (n,).
        box: of ``box_of``, the same for all maps that stand side by side.
        size: pixels a side.
    """
    from PIL import Image, ImageDraw

    scale, edge = 2, 8  # drawn at twice the size, then made smaller: that is what smooths the dots
    low, side = box
    image = Image.new("RGBA", (size * scale, size * scale), (127, 127, 127, 0))
    draw = ImageDraw.Draw(image)
    inner = (size - 2 * edge) * scale
    marks = class_marks(int(labels.max()) + 1 if len(labels) else 0)
    for number in np.argsort(triggered.astype(int) + (triggered & misled), kind="stable"):
        if not np.isfinite(coords[number, :2]).all():
            continue
        x, y = (coords[number, :2] - low) / side
        x, y = edge * scale + x * inner, edge * scale + (1 - y) * inner
        radius = 3.2 * scale if triggered[number] else 2.2 * scale
        draw.ellipse(
            (x - radius, y - radius, x + radius, y + radius), fill=marks[labels[number]].colour,
            outline=(ATTACK if misled[number] else CLEAN) if triggered[number] else None, width=round(1.1 * scale),
        )  # fmt: skip
    return np.asarray(image.resize((size, size), Image.Resampling.LANCZOS))


def as_uri(pixels: np.ndarray) -> str:
    """A picture, uint8 (h, w, 4), as a data URI."""
    from PIL import Image

    content = io.BytesIO()
    Image.fromarray(pixels).quantize(128).save(content, "png", optimize=True)
    return "data:image/png;base64," + base64.b64encode(content.getvalue()).decode()
