"""What the network looks at, before and after, as one row of pictures under Examine's answer.

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


class Drawn(NamedTuple):
    pictures: list[Shown]
    sentence: str


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


def _figure(one: Shown) -> str:
    caption = f"<figcaption>{escape(one.caption)}</figcaption>"
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
    return Drawn(looks.shown(found, say), looks.sentence(found, say))
