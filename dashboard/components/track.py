"""The stages of a run as a line: done, now (with progress and what is left), to come."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import streamlit as st

from core.events import STAGES
from core.words import clock
from dashboard import i18n
from dashboard.digest import REPEATED_STAGES, Digest
from dashboard.i18n import t
from dashboard.words import duration

SHOWN = tuple(stage for stage in STAGES if stage != "load")  # loading counts as measuring's start


def draw(digest: Digest, *, over: bool, whole: bool, skip: tuple[str, ...] = (), names: Sequence[str] = ()) -> None:
    """Draws the track. ``over``: nothing more will come; ``whole``: the run came to its proper end; ``skip``: stages
    that this run does without; ``names``: of the classes, in the reader's language."""
    st.html(markup(digest, over=over, whole=whole, skip=skip, names=names))


def markup(digest: Digest, *, over: bool, whole: bool, skip: tuple[str, ...] = (), names: Sequence[str] = ()) -> str:
    """The list as HTML, and below it one for each further purification, under the class that it is made against.

    State is said in words for screen readers, and by shape as well as colour.
    """
    shown, repeats = [stage for stage in SHOWN if stage not in skip], digest.repeats
    drawn = _list(digest, shown, 0, over, whole or bool(repeats), t("phase.label"))
    for number, repeat in enumerate(repeats, 1):
        name = names[repeat.target] if repeat.target < len(names) else str(repeat.target)
        title = t("phase.again", number=repeat.number, target=name)
        over_before = whole or number < len(repeats)
        drawn += f'<p class="dz-again">{escape(title)}</p>'
        drawn += _list(digest, REPEATED_STAGES, number, over, over_before, title)
    return drawn


def _list(digest: Digest, stages: Sequence[str], number: int, over: bool, whole: bool, label: str) -> str:
    """The stages of one purification; ``number`` from 0, ``whole``: it came to its end."""
    items, seconds = [], digest.seconds_of[number] if digest.seconds_of else digest.seconds
    for stage in stages:
        loading_now = digest.stage == "load" and stage == "measure" and not over and not whole
        state = "now" if loading_now else digest.state_of(stage, over, whole)
        share, note = _progress(digest, stage) if state == "now" else (0.0, "")
        if state == "now" and digest.stage == "load":
            note = t("phase.loading")
        if whole and number and stage not in seconds:  # nothing to purify against, or the training diverged
            state, note = "todo", t("phase.skipped")
        if state == "done" and stage in seconds:
            loading = seconds.get("load", 0.0) if stage == "measure" else 0.0
            note = duration(seconds[stage] + loading)
        current = ' aria-current="step"' if state == "now" else ""
        bar = f'<i style="width:{100 * share:.0f}%"></i>' if share else ""
        items.append(
            f'<li class="{state}"{current} title="{escape(i18n.t(f"phase.{stage}_help"))}">{bar}'
            f"<b>{escape(i18n.t(f'phase.{stage}'))}</b>"
            f"<span>{escape(note or i18n.t(f'phase.{state}'))}</span></li>"
        )
    return f'<ol class="dz-track" aria-label="{escape(label)}">{"".join(items)}</ol>'


def _progress(digest: Digest, stage: str) -> tuple[float, str]:
    """Share done (0-1) and "0:04 left" of the stage that is going on."""
    now = digest.progress
    if now is None or now.stage != stage or not now.total:
        return 0.0, ""
    left = "" if now.seconds_left is None else t("phase.left", time=clock(now.seconds_left))
    return min(1.0, now.done / now.total), left
