"""The time line of a watch as a Plotly figure: a pure function of its log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any

import plotly.graph_objects as go

from dashboard.palette import ATTACK, CLEAN, NEUTRAL

MAX_POINTS = 5000  # points that are drawn


def timeline(
    images: Sequence[Mapping[str, Any]],
    alerts: Sequence[float],
    drifts: Sequence[Mapping[str, Any]],
    words: Mapping[str, str],
    zone: tzinfo = UTC,
    parts: Sequence[tuple[str, float, float]] = (),
) -> go.Figure:
    """Scores over time: ordinary images as blue dots, flagged ones as vermilion diamonds; alerts as lines, drift as
    squares on the floor.

    Args:
        images: entries of the log, of which the newest are drawn. alerts: moments, seconds since 1970.
        drifts: entries of the log.
        zone: the reader's.
        parts: of a recorded stream: what each is called, its first and its last moment.
        words: what the legend says: "clean", "flagged", "alert", "drift", and of the axis "score".
    """
    figure = go.Figure()
    drawn = images[-MAX_POINTS:]
    for flagged, name, colour, shape in ((False, "clean", CLEAN, "circle"), (True, "flagged", ATTACK, "diamond")):
        some = [entry for entry in drawn if entry["flagged"] == flagged]
        figure.add_scatter(
            x=[_moment(entry["t"], zone) for entry in some], y=[entry["score"] for entry in some],
            text=[entry["file"] for entry in some], hovertemplate="%{text}: %{y:.2f}<extra></extra>", mode="markers",
            name=words[name], marker={"color": colour, "symbol": shape, "size": 9 if flagged else 5},
        )  # fmt: skip
    moved = [entry for entry in drifts if any(shift["drifted"] for shift in entry["quantities"].values())]
    if moved:
        floor = min((entry["score"] for entry in drawn), default=0.0)
        figure.add_scatter(
            x=[_moment(entry["t"], zone) for entry in moved], y=[floor] * len(moved), name=words["drift"],
            mode="markers", marker={"color": NEUTRAL, "symbol": "square", "size": 11}, hovertemplate="<extra></extra>",
        )  # fmt: skip
    for moment in alerts:
        figure.add_vline(x=_moment(moment, zone), line={"color": ATTACK, "width": 1.5, "dash": "dot"})
    for number, (name, first, last) in enumerate(parts):
        start = _moment(first, zone)
        figure.add_vrect(
            x0=start, x1=_moment(last, zone), fillcolor=NEUTRAL, opacity=0.14 if number % 2 else 0.05, line_width=0,
            layer="below",
        )  # fmt: skip
        figure.add_annotation(x=start, y=1, yref="paper", xanchor="left", yanchor="bottom", text=name, showarrow=False)
    if drawn:
        figure.add_hline(y=1, line={"color": NEUTRAL, "width": 1})
    figure.update_xaxes(tickformat="%H:%M" if parts else "%m-%d\n%H:%M")  # alike in all languages
    figure.update_layout(
        height=280, margin={"l": 8, "r": 8, "t": 28 if parts else 8, "b": 8},
        legend={"orientation": "h", "y": -0.2},
        yaxis_title=words["score"], paper_bgcolor="rgba(0,0,0,0)", plot_bgcolor="rgba(0,0,0,0)",
    )  # fmt: skip
    return figure


def _moment(seconds: float, zone: tzinfo) -> datetime:
    """Without its zone, as Plotly draws it: the time on the reader's clock."""
    return datetime.fromtimestamp(seconds, zone).replace(tzinfo=None)
