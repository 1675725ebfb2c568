"""The live view: map, figures, curves and transport of a run, as one component that keeps its node.

Python sends all frames so far with every update and the browser does the rest: the play head lives there, follows
the live edge at a pace an eye can follow, and asks nothing of the server. One payload is a few kilobytes per frame,
so a reload or a second window needs no special case. The same payload again is recognised and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

from dashboard.components import plotly_js
from dashboard.components.stage_payload import StagePayload, pack
from dashboard.components.wire import bundled

ASSETS = Path(__file__).parent / "stage_assets"
SCRIPTS = ("decode", "words", "player", "theme", "outline", "names", "map", "curves", "view", "panel", "main")


@dataclass(frozen=True)
class StageResult:
    """``selection``: ids of the points the reader has selected; ``playhead``: frame at rest, None if not asked for."""

    selection: list[int] = field(default_factory=list)
    playhead: int | None = None


def stage(
    *,
    key: str,
    payload: StagePayload,
    on_selection: Callable[[], None] | None = None,
    report_playhead: bool = False,
) -> StageResult:
    """Draws the live view, or hands it new data if it is there already.

    Args:
        key: identity of the component on the page; it keeps its node, zoom and play head while the key stays.
        payload: what to show.
        on_selection: called before the rerun that a new selection causes.
        report_playhead: rerun (once, after the reader has let go) when the reader moves the play head while paused.

    Raises:
        ValueError: see ``pack``.
    """
    state = _component()(
        key=key,
        data=pack(payload, plotly_url=plotly_js.url(), report_playhead=report_playhead),
        on_selection_change=on_selection or _ignore,
        on_playhead_change=_ignore,
    )
    rows = len(payload.labels)
    chosen = state.get("selection") or []
    playhead = state.get("playhead")
    return StageResult(
        selection=[k for k in chosen if isinstance(k, int) and 0 <= k < rows],
        playhead=playhead if isinstance(playhead, int) and 0 <= playhead < len(payload.frames) else None,
    )


def _ignore() -> None:
    """Streamlit keeps only those values of a component that have a callback."""


@cache
def _component() -> Callable[..., Any]:
    css = (ASSETS / "stage.css").read_text(encoding="utf-8")
    return st.components.v2.component("dissolve.stage", css=css, js=script(), isolate_styles=False)


def script() -> str:
    """The modules of ``stage_assets`` as one."""
    return bundled(ASSETS / f"{name}.js" for name in SCRIPTS)
