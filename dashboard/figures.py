"""Plotly figures as pure functions of arrays and words.

Backgrounds are transparent and text colours are left to whoever draws the figure (the live view takes them from
Streamlit's CSS variables, ``st.plotly_chart`` from its theme), so that every figure works on light and dark pages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from dashboard.palette import ATTACK, CLEAN, GRID, NEUTRAL, class_marks

POINT_SIZE = 7
RINGED_SIZE = 9
RING_WIDTH = 1.6
EDGE = "rgba(60, 66, 72, 0.35)"  # a hairline that keeps pale points visible on white and dark ones apart


def map_figure(
    labels: np.ndarray,
    triggered: np.ndarray,
    class_names: Sequence[str],
    coords: np.ndarray | None = None,
    *,
    dims: int = 2,
) -> go.Figure:
    """The feature map: one trace of clean points, then one of triggered points, which wear a ring.

    The ring is in the colour of the attack. The live view gives it that of ``layout.meta.freed`` where the model's
    answer is not the attacker's: a map of a cured model must not look like one of an infection that has spread.

    In three dimensions the rings are a trace of their own, the third: there plotly.js draws outlines hair-thin.

    Args:
        labels: true class per point, (n,), 0 .. len(class_names) - 1.
        triggered: which points carry the trigger, bool, (n,).
        class_names: names in label order, as the reader should see them.
        coords: places, (n, dims). None leaves the traces without points, for the live view to fill.
        dims: 2 or 3.

    ``customdata`` holds the id of each point (its row in ``labels``); a point never changes trace or place.

    Raises:
        ValueError: arrays of unequal length, or dims other than 2 or 3.
    """
    if dims not in (2, 3):
        raise ValueError(f"dims is {dims}; a map has 2 or 3")
    if len(labels) != len(triggered) or (coords is not None and coords.shape != (len(labels), dims)):
        raise ValueError("labels, triggered and coords must describe the same points")
    marks = class_marks(len(class_names))
    figure = go.Figure(layout=_map_layout(dims))
    for rows, ringed in ((np.flatnonzero(~triggered), False), (np.flatnonzero(triggered), True)):
        rows = rows if coords is not None else rows[:0]
        data: dict[str, Any] = {
            "mode": "markers",
            "customdata": rows,
            "name": "triggered" if ringed else "clean",
            "showlegend": False,
            "marker": {
                "size": RINGED_SIZE if ringed else POINT_SIZE,
                "opacity": 0.88 if dims == 2 else 1,  # in 3-D plotly.js mixes see-through points wrongly
                "color": [marks[k].colour for k in labels[rows]],
                "symbol": [marks[k].shape for k in labels[rows]],
                "line": {"color": ATTACK if ringed else EDGE, "width": RING_WIDTH if ringed else 0.5},
            },
        }
        if coords is not None:
            data["text"] = [class_names[k] for k in labels[rows]]
            data["hovertemplate"] = "%{text}<extra></extra>"
            data |= {axis: coords[rows, i] for i, axis in enumerate("xyz"[:dims])}
        figure.add_trace(go.Scattergl(data) if dims == 2 else go.Scatter3d(_small(data)))
    if dims == 3:
        figure.add_trace(_rings(figure.data[1]))
    return figure


def _small(data: dict[str, Any]) -> dict[str, Any]:
    """The same points for a 3-D scene, which draws them larger, and without outlines."""
    return data | {"marker": data["marker"] | {"size": 0.65 * data["marker"]["size"], "line": {"width": 0}}}


def _rings(points: Any) -> go.Scatter3d:
    """Open circles around the points of a 3-D trace."""
    rings = go.Scatter3d(points)
    rings.update(name="rings", hoverinfo="skip", hovertemplate=None, text=None)
    line = {"width": 2, "color": ATTACK}
    rings.marker = {"size": 1.5 * points.marker.size, "color": ATTACK, "symbol": "circle-open", "line": line}
    return rings


def _map_layout(dims: int) -> dict[str, Any]:
    """Axes of a projection mean nothing, so none are drawn; a unit is as long across as up."""
    bare = {"visible": False, "zeroline": False, "showgrid": False}
    layout: dict[str, Any] = {
        "template": None,
        "margin": {"l": 0, "r": 0, "t": 0, "b": 0},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "hovermode": "closest",
        "showlegend": False,
        "uirevision": "map",
        "meta": {"misled": ATTACK, "freed": CLEAN},
    }
    if dims == 3:
        bare |= {"showbackground": False, "showspikes": False}
        scene = {"xaxis": bare, "yaxis": bare, "zaxis": bare, "aspectmode": "data"}
        return layout | {"scene": scene | {"camera": {"eye": {"x": 1.1, "y": 1.1, "z": 0.7}}}}
    return layout | {
        "dragmode": "pan",
        "xaxis": bare,
        "yaxis": bare | {"scaleanchor": "x", "scaleratio": 1},
    }


def curves_figure(metrics: Sequence[Mapping[str, Any]], names: Mapping[str, str]) -> go.Figure:
    """Attack success, accuracy and dissolution over the steps, in percent.

    Args:
        metrics: one mapping per frame with ``step``, ``asr``, ``ba``, ``dissolution``; None leaves a gap.
        names: words for ``asr``, ``ba``, ``dissolved`` and ``step_axis``.

    The three lines differ by dash as well as by colour.
    """
    steps = [row["step"] for row in metrics]
    figure = go.Figure(layout=_curves_layout(names["step_axis"]))
    if (last := max(steps, default=0)) < 5:  # left to itself, the axis would count 0, 0, 0, 1, 1, 1
        figure.update_xaxes(tickvals=list(range(int(last) + 1)))
    for key, name, colour, dash, width in (
        ("dissolution", names["dissolved"], NEUTRAL, "dot", 2),
        ("ba", names["ba"], CLEAN, "dash", 2),
        ("asr", names["asr"], ATTACK, "solid", 2.5),
    ):
        figure.add_scatter(
            x=steps,
            y=[row.get(key) for row in metrics],
            mode="lines",
            name=name,
            line={"color": colour, "dash": dash, "width": width},
            hoverinfo="skip",
        )
    return figure


def _curves_layout(step_axis: str) -> dict[str, Any]:
    return {
        "template": None,
        "margin": {"l": 34, "r": 10, "t": 8, "b": 42},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "showlegend": False,
        "hovermode": False,
        "dragmode": False,
        "xaxis": {
            "title": {"text": step_axis, "standoff": 6},
            "showgrid": False,
            "zeroline": False,
            "rangemode": "tozero",
            "fixedrange": True,
            "nticks": 6,
            "tickformat": "d",
        },
        "yaxis": {
            "range": [-3, 103],
            "tickvals": [0, 50, 100],
            "gridcolor": GRID,
            "zeroline": False,
            "fixedrange": True,
        },
    }


def mask_sizes_figure(
    mask_sizes: Sequence[float | None],
    class_names: Sequence[str],
    target: int | None,
    words: Mapping[str, str],
) -> go.Figure:
    """How small a trigger each class needs: one bar per class, the suspect marked by colour and by a label.

    Args:
        mask_sizes: L1 size of the smallest successful mask per class, in pixels; None where none was found.
        class_names: names in label order.
        target: the class the scan points at, or None.
        words: ``size`` (axis title), ``target`` (label of the suspect's bar), ``none`` (label where there is no mask).

    Raises:
        ValueError: sizes and names differ in number, or target is not one of them.
    """
    if len(mask_sizes) != len(class_names):
        raise ValueError(f"{len(mask_sizes)} mask sizes for {len(class_names)} classes")
    if target is not None and not 0 <= target < len(class_names):
        raise ValueError(f"target {target} is not a class")
    rows = range(len(class_names))
    labels = [
        words["none"] if mask_sizes[k] is None else f"{mask_sizes[k]:.1f}" + (f"  {words['target']}" * (k == target))
        for k in rows
    ]
    figure = go.Figure(
        go.Bar(
            orientation="h",
            y=list(rows),
            x=[size or 0 for size in mask_sizes],
            text=labels,
            textposition="outside",
            cliponaxis=False,
            customdata=list(rows),
            marker={"color": [ATTACK if k == target else NEUTRAL for k in rows]},
            hoverinfo="skip",
        )
    )
    figure.update_layout(
        margin={"l": 10, "r": 90, "t": 8, "b": 44},
        height=62 + 26 * len(class_names),
        bargap=0.35,
        showlegend=False,
        xaxis={"title": {"text": words["size"]}, "rangemode": "tozero", "gridcolor": GRID, "fixedrange": True},
        yaxis={
            "tickvals": list(rows),
            "ticktext": list(class_names),
            "autorange": "reversed",
            "automargin": True,
            "fixedrange": True,
        },
    )
    return figure
