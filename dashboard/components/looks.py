"""What the network looks at, before and after, as one row of pictures: in the story and under Examine's answer.

The pictures were made when the run ended (``core.engine.looks``); here they are only drawn, without torch.
"""

from __future__ import annotations

from html import escape
from typing import NamedTuple

import streamlit as st

from core import report
from core.report import looks
from core.report.looks import Shown
from core.runs.record import Run
from dashboard import glossary
from dashboard.i18n import language, t

MOSTLY = 50.0  # percent on the trigger, before: from there on it may be said that the network looked at it
FELL = 3.0  # times less after: and that it does so no more


class Drawn(NamedTuple):
    """``turned``: whether the network looked at the trigger before, by the measured shares, and does so no more."""

    pictures: list[Shown]
    sentence: str
    turned: bool


def draw(run: Run) -> None:
    """The image with the trigger, where the model looks in it, and one sentence; nothing where the run keeps none."""
    found = _of(run)
    if found is None:
        return
    tiles = "".join(_figure(one) for one in found.pictures)
    st.html(
        f'<section class="dz-looks"><h3>{escape(t("looks.title"))}</h3><div>{tiles}</div>'
        f"<p>{escape(found.sentence)}</p><p class=note>{glossary.html(t('examine.looks_note'))}</p></section>"
    )


def pair(run: Run) -> None:
    """The two pictures of before and after with one short sentence; nothing where the run keeps none, or no after."""
    found = _of(run)
    if found is None or len(found.pictures) < 3:
        return
    tiles = "".join(_figure(one, bare=True) for one in found.pictures[1:])
    said = t("story.looks.turned" if found.turned else "story.looks")
    st.html(f'<section class="dz-looked" data-testid="looks">{tiles}<p>{escape(said)}</p></section>')


def _figure(one: Shown, bare: bool = False) -> str:
    """``bare``: its caption is read aloud; what is shown is one word in the corner of the picture."""
    caption = f"<figcaption>{escape(one.caption)}</figcaption>"
    if bare:
        caption = f"<b aria-hidden=true>{escape(t('story.scene.reads_' + one.kind))}</b>"
    return f'<figure class="{one.kind}"><img src="{one.uri}" alt="{escape(one.caption)}">{caption}</figure>'


def _of(run: Run) -> Drawn | None:
    file = run.folder / "looks.npz"
    try:
        changed = file.stat().st_mtime_ns
    except OSError:
        return None
    return _drawn(str(run.folder), changed, language())


@st.cache_data(max_entries=30, show_spinner=False)
def _drawn(folder: str, changed: int, to: str) -> Drawn | None:
    """Of a run's folder, as the file of that time has it, in language ``to``."""
    run = Run(folder)
    found = run.looks()
    if found is None:
        return None
    say = report.wording(run, to)
    shares = [float(share) for share in found.share]
    turned = len(shares) > 1 and shares[0] >= MOSTLY and shares[1] * FELL <= shares[0]
    return Drawn(looks.shown(found, say), looks.sentence(found, say), turned)
