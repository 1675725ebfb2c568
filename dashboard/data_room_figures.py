"""The figure of the data room, a pure function."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from dashboard.palette import ATTACK, CLEAN

BINS = 50
MOST = 99.5  # percentile beyond which scores are drawn in the last bin


def histogram(scores: np.ndarray, threshold: float, score: str, count: str, bar: str) -> go.Figure:
    """Scores (n,) in bins, those from the threshold on in the colour of the attack, with the threshold as a line.

    Args:
        score, count: titles of the axes. bar: what the line is called.
    """
    highest = max(float(np.percentile(scores, MOST)) if len(scores) else 0.0, threshold) * 1.05 + 1e-9
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
