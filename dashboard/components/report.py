"""The report of a run to take away, and what to do next: for every page that shows a run.

``offer(run)`` draws the buttons (HTML, PDF) in the reader's language. ``next_steps(run)`` draws the section with the
recommendation, the questions to a supplier and the three steps, with the figures of that run.
"""

from __future__ import annotations

from html import escape
from pathlib import Path

import streamlit as st

from core import report
from core.errors import BadInput
from core.report import pdf
from core.report.wording import Item, Wording
from core.rollout.wording import in_use
from core.runs import hashes
from core.runs.record import Run
from core.words import Words
from dashboard.i18n import error, language, t
from dashboard.words import reader_zone

CSS = Path(__file__).with_suffix(".css")


def offer(run: Run, key: str = "report", compact: bool = False) -> None:
    """Buttons that save the report of ``run``, as one HTML file and as PDF, in the reader's language.

    The files are made when a button is pressed, not at every rerun. Any run has a report, one that goes on too. Draw
    it inside a horizontal container to have the buttons side by side.

    Args:
        key: of the widgets; another one for every run on a page.
        compact: one button only (HTML), for a row of a list.
    """
    try:
        if not compact:  # a list of runs does not read the files of each
            hashes.check_report(run, images=False)
    except BadInput as fault:
        st.error(error(fault.code, fault.message, fault.facts), icon=":material/error:")
        return
    to, zone = language(), reader_zone()  # here: what makes the file runs where there is no visitor
    browser = None if compact else pdf.find_browser()
    name = f"{run.spec.name}-{run.id}"

    def page() -> bytes:
        return report.html(run, to, zone, in_use(run, Words(to))).encode()

    def printed() -> bytes:
        return pdf.render(report.html(run, to, zone, in_use(run, Words(to))), browser)

    st.download_button(
        t("report.do.short") if compact else t("report.do.html"),
        data=page,
        file_name=f"{name}-{report.file_name(to)}",
        mime="text/html",
        icon=":material/description:",
        type="tertiary" if compact else "secondary",
        on_click="ignore",
        help=t("report.do.html_help"),
        key=f"{key}-html",
    )
    if compact:
        return
    st.download_button(
        t("report.do.pdf"),
        data=printed,
        file_name=f"{name}-{report.file_name(to, 'pdf')}",
        mime="application/pdf",
        icon=":material/picture_as_pdf:",
        on_click="ignore",
        disabled=browser is None,
        help=t("report.do.no_pdf") if browser is None else t("report.do.pdf_help", browser=pdf.browser_name(browser)),
        key=f"{key}-pdf",
    )


def next_steps(run: Run, key: str = "next_steps", away: bool = True) -> None:
    """The section "What to do next": accept, purify or refuse, with the reasons from this run's figures.

    Args:
        key: of the container on the page.
        away: whether the report is offered here; a page may have done so above.
    """
    say = report.wording(run, language(), reader_zone())
    st.html(CSS)
    with st.container(key=key):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.subheader(t("report.do"), anchor=False, width="content")
            st.space("stretch")
            if away:
                offer(run, key=f"{key}-report")
        st.html(markup(say))


def markup(say: Wording) -> str:
    """The section's text as HTML; all of it escaped, for class and file names are the user's own."""
    reasons = "".join(f"<p>{escape(reason)}</p>" for reason in say.reasons())
    rules = "".join(_rule(item) for item in say.decide())
    steps = "".join(f"<li><b>{escape(item.name)}</b> {escape(item.text)}</li>" for item in say.steps())
    return (
        f'<div class="dz-next"><section class="dz-advice"><span>{escape(t("report.choice.title"))}</span>'
        f"<b>{escape(say.recommendation())}</b>{reasons}</section>"
        f"{_part('report.decide', f'<dl>{rules}</dl>')}"
        f"{_part('report.ask', _list(say.questions(), 'boxes'))}"
        f"{_part('report.steps', f'<ol>{steps}</ol>')}"
        f"{_part('report.say', _list(say.phrases(), 'said'))}</div>"
    )


def _part(title: str, body: str) -> str:
    return f"<section><h4>{escape(t(title))}</h4>{body}</section>"


def _list(sentences: list[str], kind: str) -> str:
    return f'<ul class="{kind}">{"".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)}</ul>'


def _rule(item: Item) -> str:
    here = t("report.decide.here")
    mark = ' class="applies"' if item.applies else ""
    return (
        f"<div{mark}><dt>{escape(item.name)}</dt><dd>{escape(item.text)}"
        f"<span><b>{escape(here)}</b> {escape(item.here)}</span></dd></div>"
    )
