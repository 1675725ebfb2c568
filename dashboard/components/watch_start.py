"""How a watch is begun and ended from the page: which run's model, and the folder that images arrive in."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from core import paths
from core.errors import BadInput
from core.jobs.note import Job
from core.runs.record import Run
from core.victims import DEFAULT
from core.watch import place
from dashboard import data, i18n
from dashboard.i18n import t
from dashboard.watch_data import Watch
from dashboard.words import run_title, when

STARTED = "watch_started"  # in the session: run and inbox of the watch that was begun last


def offer(opened: bool) -> None:
    """The form. Turns to the watch once it is begun.

    Args:
        opened: whether it is unfolded from the start.
    """
    runs = {run.id: run for run in sorted(data.runs(), key=later) if run.is_recording or run.status == "done"}
    names = {key: name(key) for key in runs}
    with st.expander(t("watch.start"), expanded=opened, icon=":material/add:", key="watch_begin"):
        with st.container(horizontal=True, vertical_alignment="bottom"):
            chosen = st.selectbox(
                t("watch.start.run"), list(names), format_func=names.__getitem__, key="watch_run", width=420,
                help=t("watch.start.run_help"),
            )  # fmt: skip
            inbox = st.text_input(
                t("watch.start.inbox"), key="watch_inbox", placeholder=t("watch.start.inbox_none"), width=360,
                help=t("watch.start.inbox_help"),
            ).strip().strip("\"'")  # fmt: skip
            pressed = st.button(
                t("watch.start.act"), type="primary", key="watch_start", disabled=not (chosen and inbox)
            )
        st.caption(t("watch.start.note"))
        if not pressed or chosen is None:
            return
        try:
            folder = place.start(runs[chosen], paths.expanded(inbox))
        except BadInput as fault:
            st.error(i18n.error(fault.code, fault.message, fault.facts), icon=":material/error:")
            return
    st.session_state[STARTED] = [str(folder), inbox]
    st.session_state["watched"] = f"{chosen}/{folder.name}"
    st.rerun()


def later(run: Run) -> tuple[bool, bool, bool]:
    """The visitor's own runs first, then the recording of the story; those of other defences last."""
    return run.is_recording, run.id != DEFAULT, run.spec.defence != "mcl"


def name(run_id: str) -> str:
    run = data.find(run_id)
    assert run is not None
    return f"{run_title(run)} · {t('status.recording') if run.is_recording else when(run.data.get('created', ''))}"


def starting(there: list[Watch]) -> bool:
    """Tells of the watch that was begun last as long as nothing is known of it; whether it is still to come."""
    name, inbox = st.session_state.get(STARTED) or ("", "")
    if not name or any(str(one.folder) == name for one in there):
        return False
    now = place.job(Path(name))
    if now is not None and now.at_work:
        done = min(1.0, now.done / now.total) if now.total else 0.0
        st.progress(done, text=t("watch.start.going", inbox=i18n.unmarked(inbox)))
        return True
    if now is not None:
        failed(now)
    del st.session_state[STARTED]
    return False


def failed(job: Job) -> None:
    """Why a watch that was begun here ended, where it was not asked to."""
    if job.failure:
        told = i18n.error(str(job.failure["code"]), str(job.failure["message"]), job.failure.get("facts") or {})
        st.error(told, icon=":material/error:")


def steer(watch: Watch) -> None:
    """Whether a watch begun here goes on, and the button that ends it or begins it again."""
    job = place.job(watch.folder)
    if job is None:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.badge(i18n.t("status.running" if job.at_work else "status.stopped"), color="gray")
        if job.at_work:
            if st.button(t("watch.stop"), key="watch_stop", icon=":material/stop:", type="tertiary"):
                place.stop(watch.folder)
                st.rerun()
        elif st.button(t("watch.again"), key="watch_again", icon=":material/play_arrow:", type="tertiary"):
            try:
                place.start(watch.run, watch.inbox)
            except BadInput as fault:
                st.error(i18n.error(fault.code, fault.message, fault.facts), icon=":material/error:")
                return
            st.rerun()
    if not job.at_work:
        failed(job)
