"""All runs and shipped recordings: what they were, how they ended, and what can be done with them."""

from __future__ import annotations

from html import escape

import streamlit as st

from core.errors import BadInput
from core.runs import record, supervisor
from core.runs.record import Run
from dashboard import compare_data, data, i18n
from dashboard.components import frame, links, proof, report
from dashboard.components.session import ICONS
from dashboard.i18n import t
from dashboard.words import duration, percent, run_title, when

A_PAGE = 20


def page() -> None:
    """Own runs first, then the recordings; an empty list says what to do."""
    st.title(t("runs.title"), anchor=False)
    everything = data.runs()
    compared = compare_data.comparisons(everything)
    mine = [run for run in everything if not run.is_recording]
    if mine:
        _list(mine, compared)
    else:
        with st.container(border=True, horizontal_alignment="left"):
            st.subheader(t("state.no_runs"), anchor=False)
            st.markdown(t("state.no_runs_text"))
            if st.button(t("setup.first"), type="primary", key="first"):
                _open(None)
    _broken()
    if (doomed := data.find(st.session_state.get("deleting"))) is not None:
        _confirm(doomed)
    shipped = [run for run in everything if run.is_recording]
    if shipped:
        st.subheader(t("runs.shipped"), anchor=False)
        for run in shipped:
            _row(run, compared)


def _list(mine: list[Run], compared: dict[str, str]) -> None:
    pages = -(-len(mine) // A_PAGE)
    spot = st.container()
    number = st.pagination(pages, key="runs_page") if pages > 1 else 1
    with spot:
        for run in mine[(number - 1) * A_PAGE : number * A_PAGE]:
            _row(run, compared)


def _row(run: Run, compared: dict[str, str]) -> None:
    status = "recording" if run.is_recording else run.status
    digest = data.digest_of(run)
    with st.container(border=True, gap="xsmall"):
        name, figures, acts = st.columns([4, 4, 3], vertical_alignment="center")
        with name:
            st.markdown(f"**{i18n.unmarked(run_title(run))}**")
            facts = [when(run.data.get("created", "")), duration(digest.total_seconds)]
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                st.badge(i18n.t(f"status.{status}"), icon=ICONS[status], color="gray")
                st.caption(" · ".join(fact for fact in facts if fact and fact != "–"), width="content")
        before, after = digest.before, digest.after
        estimated = before is not None and before.asr_kind == "estimated"
        cells = _cell(
            t("runs.asr_est") if estimated else t("runs.asr"),
            before.asr if before else None,
            after.asr if after else None,
        )
        cells += _cell(t("runs.ba"), before.ba if before else None, after.ba if after else None)
        if digest.proof is not None:
            cells += f'<div class="dz-cell"><span>{escape(t("cure.name"))}</span>{escape(proof.short(digest))}</div>'
        figures.html(f'<div class="dz-cells">{cells}</div>')
        with acts, st.container(horizontal=True, horizontal_alignment="right"):
            _buttons(run, status, compared)


def _cell(name: str, before: float | None, after: float | None) -> str:
    """A figure before and after; only what has been measured."""
    words = percent(before)
    if after is not None:
        words = f"<em>{words} →</em> {percent(after)}"
    return f'<div class="dz-cell"><span>{escape(name)}</span>{words}</div>'


def _buttons(run: Run, status: str, compared: dict[str, str]) -> None:
    if st.button(t("act.open"), key=f"open-{run.id}"):
        _open(run)
    if status in data.RESUMABLE and st.button(t("act.resume"), key=f"resume-{run.id}", icon=":material/play_arrow:"):
        try:
            supervisor.resume(run)
        except BadInput as fault:
            st.error(i18n.error(fault.code, fault.message, fault.facts))
            return
        _open(run)
    if status not in data.GOING:
        links.offer(run, compared.get(run.id), key=f"onward-{run.id}", compact=True)
    report.offer(run, key=f"report-{run.id}", compact=True)
    if status != "recording":
        label = t("act.delete")
        if st.button(label, key=f"delete-{run.id}", icon=":material/delete:", type="tertiary"):
            st.session_state["deleting"] = run.id
            st.rerun()


def _open(run: Run | None) -> None:
    """Turns to a run, on the page that shows its kind: a stranger's model is examined."""
    if run is not None and run.spec.weights:
        st.switch_page(frame.PAGES["examine"], query_params={"run": run.id})
    st.session_state["run"] = run.id if run else None
    st.switch_page(frame.PAGES["purify"], query_params={"run": run.id} if run else None)


def _confirm(run: Run) -> None:
    """Asks before deleting; a run that is going on is never deleted."""

    @st.dialog(t("runs.delete_title"), on_dismiss=_forget)
    def ask() -> None:
        if run.status in data.GOING:
            st.warning(t("runs.delete_going"), icon=":material/pan_tool:")
            return
        st.markdown(t("runs.delete_text", title=i18n.unmarked(run_title(run)), when=when(run.data.get("created", ""))))
        with st.container(horizontal=True, horizontal_alignment="right"):
            if st.button(t("act.cancel"), key="cancel"):
                _forget()
                st.rerun()
            if st.button(t("act.delete"), key="confirm", type="primary", icon=":material/delete:"):
                _delete(run)

    ask()


def _forget() -> None:
    st.session_state.pop("deleting", None)


def _delete(run: Run) -> None:
    try:
        _forget()
        supervisor.delete(run)
    except BadInput as fault:
        st.error(i18n.error(fault.code, fault.message, fault.facts))
        return
    if st.session_state.get("run") == run.id:
        st.session_state["run"] = None
    st.rerun()


def _broken() -> None:
    for folder, fault in record.broken_runs():
        told = i18n.error(fault.code, fault.message, fault.facts)
        st.caption(f":material/broken_image: {i18n.unmarked(folder.name)}: {told}")
