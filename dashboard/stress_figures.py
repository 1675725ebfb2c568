"""Figures of the test track: heat maps of all conditions, bars of the classes. Pure functions of numbers and words."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from core.stress.settings import NAMES
from dashboard.palette import CLEAN, GRID

if TYPE_CHECKING:
    import plotly.graph_objects as go

LEAST_SPAN = 5.0  # points: a scale that were narrower would paint noise in full colour
# ColorBrewer's purple and green, which readers with red-green colour blindness tell apart; see-through in the middle,
# so that figures in the cells can be read on light and on dark pages
CHANGE = ((0.0, "rgba(118, 42, 131, 0.55)"), (0.5, "rgba(127, 127, 127, 0.06)"), (1.0, "rgba(27, 120, 55, 0.55)"))
ATTACKED = ((0.0, "rgba(127, 127, 127, 0.06)"), (1.0, "rgba(213, 94, 0, 0.65)"))


def heat_figure(
    column: str, cells: Sequence[Mapping[str, Any]], strengths: Sequence[int], names: Mapping[str, str],
    words: Mapping[str, str], marked: Collection[tuple[str, int]] = (),
) -> go.Figure:  # fmt: skip
    """One figure of all conditions: corruptions by strengths.

    Args:
        column: "change" of accuracy from the original to the purified model, or attack success: "asr_before" or
            "asr_after".
        cells: as ``core.stress.measure.cell``; those that are not there yet are left empty.
        strengths: the columns.
        names: of the corruptions.
        words: ``change``, ``asr_before`` and ``asr_after`` (titles), ``strength`` (axis), ``ba``, ``before``,
            ``after`` and ``percent`` (for what is told under the pointer).
        marked: corruption and strength of the conditions whose change is beyond chance; they get a star.
    """
    import plotly.graph_objects as go

    found = {(cell["corruption"], cell["strength"]): cell for cell in cells}
    rows = [[found.get((name, strength)) for strength in strengths] for name in NAMES]
    values = [[None if cell is None else _value(cell, column) for cell in row] for row in rows]
    texts = [
        ["" if value is None else _shown(value, column, (name, strength) in marked)
         for strength, value in zip(strengths, row, strict=True)]
        for name, row in zip(NAMES, values, strict=True)
    ]  # fmt: skip
    figure = go.Figure()
    figure.add_heatmap(
        x=[str(strength) for strength in strengths], y=[names[name] for name in NAMES], z=values, xgap=2, ygap=2,
        hoverongaps=False, showscale=False, text=texts, texttemplate="%{text}", textfont={"size": 11},
        customdata=[["" if cell is None else _hover(cell, column, words) for cell in row] for row in rows],
        hovertemplate=f"%{{y}} · {words['strength']} %{{x}}<br>%{{customdata}}<extra></extra>",
        **_scale(column, values),
    )  # fmt: skip
    figure.update_xaxes(title={"text": words["strength"]}, type="category", showgrid=False, fixedrange=True)
    figure.update_yaxes(autorange="reversed", showgrid=False, fixedrange=True)
    figure.update_layout(
        title={"text": words[column], "font": {"size": 14}}, height=150 + 25 * len(NAMES),
        margin={"l": 8, "r": 8, "t": 40, "b": 48}, paper_bgcolor="rgba(0,0,0,0)", plot_bgcolor="rgba(0,0,0,0)",
    )  # fmt: skip
    return figure


def _value(cell: Mapping[str, Any], column: str) -> float | None:
    return -float(cell["loss"]) + 0.0 if column == "change" else cell[column]


def _shown(value: float, column: str, marked: bool) -> str:
    star = "*" if marked and column == "change" else ""
    return f"{value:+.1f}{star}".replace("-", "−") if column == "change" else f"{value:.0f}"


def _hover(cell: Mapping[str, Any], column: str, words: Mapping[str, str]) -> str:
    name = "ba" if column == "change" else column
    if column != "change":
        return "" if cell[name] is None else f"{words[name]}: {cell[name]:.1f}{words['percent']}"
    return f"{words['ba']}: {cell['ba_before']:.1f}{words['percent']} → {cell['ba_after']:.1f}{words['percent']}"


def _scale(column: str, values: Sequence[Sequence[float | None]]) -> dict[str, Any]:
    """Zero is in the middle of the scale of change, and in the same place whatever the figures are."""
    if column != "change":
        return {"colorscale": ATTACKED, "zmin": 0, "zmax": 100}
    span = max([LEAST_SPAN, *(abs(value) for row in values for value in row if value is not None)])
    return {"colorscale": CHANGE, "zmin": -span, "zmid": 0, "zmax": span}


def classes_figure(rows: Sequence[Mapping[str, Any]], names: Sequence[str], words: Mapping[str, str]) -> go.Figure:
    """Accuracy class by class: the original hatched, the purified model whole, so that no colour is needed.

    Args:
        rows: as ``core.stress.measure.classes``. names: theirs, in the same order.
        words: ``before``, ``after``, ``ba`` (axis), ``target`` (mark of the attacker's class) and
            ``percent`` (the sign, with its space).
    """
    import plotly.graph_objects as go

    figure = go.Figure()
    labels = [f"{name} ({words['target']})" if row["target"] else name for row, name in zip(rows, names, strict=True)]
    for when, shape, opacity in (("before", "/", 0.55), ("after", "", 1.0)):
        figure.add_bar(
            x=labels, y=[row[when] for row in rows], name=words[when], opacity=opacity,
            marker={"color": CLEAN, "pattern": {"shape": shape}},
            hovertemplate=f"%{{x}}, {words[when]}: %{{y:.1f}}{words['percent']}<extra></extra>",
        )  # fmt: skip
    figure.update_xaxes(showgrid=False, fixedrange=True, type="category", tickangle=-40)
    figure.update_yaxes(
        title={"text": words["ba"]}, range=[0, 104], gridcolor=GRID, zeroline=False, fixedrange=True,
        ticksuffix=words["percent"],
    )  # fmt: skip
    figure.update_layout(
        height=340, barmode="group", bargap=0.3, margin={"l": 8, "r": 8, "t": 40, "b": 48},
        paper_bgcolor="rgba(0,0,0,0)", plot_bgcolor="rgba(0,0,0,0)",
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
    )  # fmt: skip
    return figure
