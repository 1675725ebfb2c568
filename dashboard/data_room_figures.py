"""The figures of the data room, pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from core.dataroom.place import Mapped
from dashboard.palette import ATTACK, CLEAN, NEUTRAL

BINS = 50
MAX_PERCENTILE = 99.5  # percentile beyond which scores are drawn in the last bin


def histogram(scores: np.ndarray, threshold: float, score: str, count: str, bar: str) -> go.Figure:
    """Scores (n,) in bins, those from the threshold on in the colour of the attack, with the threshold as a line.

    Args:
        score, count: titles of the axes. bar: what the line is called.
    """
    highest = max(float(np.percentile(scores, MAX_PERCENTILE)) if len(scores) else 0.0, threshold) * 1.05 + 1e-9
    lowest = min(float(scores.min()) if len(scores) else 0.0, threshold)
    step = (highest - lowest) / BINS
    # the threshold is an edge, so that no bin lies on both sides of it
    under, over = int(np.ceil((threshold - lowest) / step)), int(np.ceil((highest - threshold) / step))
    edges = threshold + step * np.arange(-under, over + 1)
    heights = np.histogram(np.clip(scores, edges[0], edges[-1]), edges)[0]
    middles = (edges[:-1] + edges[1:]) / 2
    colours = [ATTACK if middle > threshold else CLEAN for middle in middles]
    figure = go.Figure(go.Bar(x=middles, y=heights, marker_color=colours, width=float(edges[1] - edges[0])))
    figure.add_vline(x=threshold, line_dash="dash", annotation_text=bar)
    figure.update_layout(
        height=280, margin={"l": 10, "r": 10, "t": 30, "b": 10}, xaxis_title=score, yaxis_title=count,
        paper_bgcolor="rgba(0,0,0,0)", plot_bgcolor="rgba(0,0,0,0)", bargap=0,
    )  # fmt: skip
    return figure


def lying(found: Mapped, target: int | None, names: Sequence[str], words: Mapping[str, str]) -> go.Figure:
    """Images on the map: flagged ones as vermilion diamonds, the kept ones of the suspected class as blue dots, others
    grey. Where the truth is known, poisoned images that were kept are vermilion crosses.

    Args:
        target: the suspected class. names: of the classes.
        words: what the legend says: "flagged", "missed", "suspected" and "others".
    """
    missed = np.zeros(len(found.at), bool) if found.poisoned is None else found.poisoned & ~found.flagged
    suspected = (found.labels == (-1 if target is None else target)) & ~found.flagged & ~missed
    others = ~(found.flagged | missed | suspected)
    marks = {
        "others": (others, NEUTRAL, "circle", 5),
        "suspected": (suspected, CLEAN, "circle", 7),
        "flagged": (found.flagged, ATTACK, "diamond", 8),
        "missed": (missed, ATTACK, "x", 8),
    }
    figure = go.Figure()
    for name, (which, colour, symbol, size) in marks.items():
        if which.any():
            figure.add_scatter(
                x=found.xy[which, 0], y=found.xy[which, 1], mode="markers", name=words[name],
                text=[f"{at} · {names[label]}" for at, label in zip(found.at[which], found.labels[which], strict=True)],
                hovertemplate="%{text}<extra></extra>",
                marker={"color": colour, "symbol": symbol, "size": size, "opacity": 0.45 if name == "others" else 0.85},
            )  # fmt: skip
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False, scaleanchor="x")
    figure.update_layout(
        height=380, margin={"l": 0, "r": 0, "t": 8, "b": 8}, legend={"orientation": "h", "y": -0.02},
        paper_bgcolor="rgba(0,0,0,0)", plot_bgcolor="rgba(0,0,0,0)",
    )  # fmt: skip
    return figure
