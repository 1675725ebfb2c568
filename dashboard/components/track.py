"""The stages of a run as a line: done, now (with progress and what is left), to come."""

from __future__ import annotations

from html import escape

import streamlit as st

from core.events import STAGES
from core.words import clock
from dashboard import i18n
from dashboard.digest import Digest
from dashboard.i18n import t
from dashboard.words import duration

SHOWN = tuple(stage for stage in STAGES if stage != "load")  # loading counts as measuring's start


def draw(digest: Digest, *, over: bool, whole: bool, skip: tuple[str, ...] = ()) -> None:
    """Draws the track. ``over``: nothing more will come; ``whole``: the run came to its proper end; ``skip``: stages
    that this run does without."""
    st.html(markup(digest, over=over, whole=whole, skip=skip))


def markup(digest: Digest, *, over: bool, whole: bool, skip: tuple[str, ...] = ()) -> str:
    """The list as HTML; state is said in words for screen readers, and by shape as well as colour."""
    items = []
    for stage in (stage for stage in SHOWN if stage not in skip):
        state = (
            "now" if digest.stage == "load" and stage == "measure" and not over else digest.state_of(stage, over, whole)
        )
        share, note = _progress(digest, stage) if state == "now" else (0.0, "")
        if state == "now" and digest.stage == "load":
            note = t("phase.loading")
        if state == "done" and stage in digest.seconds:
            loading = digest.seconds.get("load", 0.0) if stage == "measure" else 0.0
            note = duration(digest.seconds[stage] + loading)
        current = ' aria-current="step"' if state == "now" else ""
        bar = f'<i style="width:{100 * share:.0f}%"></i>' if share else ""
        items.append(
            f'<li class="{state}"{current} title="{escape(i18n.t(f"phase.{stage}_help"))}">{bar}'
            f"<b>{escape(i18n.t(f'phase.{stage}'))}</b>"
            f"<span>{escape(note or i18n.t(f'phase.{state}'))}</span></li>"
        )
    return f'<ol class="dz-track" aria-label="{escape(t("phase.label"))}">{"".join(items)}</ol>'


def _progress(digest: Digest, stage: str) -> tuple[float, str]:
    """Share done (0-1) and "0:04 left" of the stage that is going on."""
    now = digest.progress
    if now is None or now.stage != stage or not now.total:
        return 0.0, ""
    left = "" if now.seconds_left is None else t("phase.left", time=clock(now.seconds_left))
    return min(1.0, now.done / now.total), left
