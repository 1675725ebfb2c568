"""The answer of a finished examination, in one glance: may it be used, what was found, done and left, how sure."""

from __future__ import annotations

from html import escape

import streamlit as st

from core import report
from core.report.answer import Answer, answer
from core.runs.record import Run
from dashboard.components import proof, session
from dashboard.components import report as away
from dashboard.digest import Digest
from dashboard.i18n import language, t


def draw(run: Run, digest: Digest) -> None:
    """The block above everything else, with what can be taken away at once.

    Args:
        run: one that has ended.
    """
    told = answer(report.wording(run, language()))
    with st.container(key=f"answer_{told.tone}"):
        st.html(markup(told))
        with st.container(horizontal=True, key="answer_away"):
            if told.tone == "good" and digest.after is not None and not proof.is_kept(run, digest):
                for file in ("model.onnx", "model.safetensors"):  # as the file came, where that was ONNX
                    if session.download(run, file, t("act.download"), primary=True):
                        break
            away.offer(run, key="answer-report")


def markup(told: Answer) -> str:
    """The block as HTML; all of it escaped, for class names are the user's own."""
    parts = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(sentence)}</dd></div>" for name, sentence in told.parts)
    return (
        f'<section class="dz-answer {told.tone}"><p>{escape(t("report.choice.title"))}</p>'
        f"<h2>{escape(told.use)}</h2><dl>{parts}</dl></section>"
    )
