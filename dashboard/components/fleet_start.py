"""How a fleet is begun from the page: which models, which clean images, where, and whether to go on to
the cure."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from core import paths
from core.data import IMAGE_SETS
from core.errors import BadInput
from core.fleet import begin, place
from core.fleet.engines import ADDRESS, ENGINES, LOCAL, missing
from core.fleet.place import Standing
from core.intake import uploads
from dashboard import i18n, images
from dashboard.i18n import t
from dashboard.words import images_name, when

STARTED = "fleet_started"  # in the session: the folder's name of the fleet that was begun last


def offer(opened: bool) -> None:
    """The form. Turns to the fleet once it is begun.

    Args:
        opened: whether it is unfolded from the start.
    """
    with st.expander(t("fleet.start"), expanded=opened, icon=":material/add:", key="fleet_begin"):
        with st.container(horizontal=True, vertical_alignment="bottom"):
            models = st.text_input(
                t("fleet.start.models"), key="fleet_models", placeholder=t("fleet.start.models_none"), width=360,
                help=t("fleet.start.models_help"),
            ).strip().strip("\"'")  # fmt: skip
            pictures = _images()
            engine = _engine()
            fault = missing(engine)
            purify = st.toggle(t("fleet.start.purify"), key="fleet_purify", help=t("fleet.start.purify_help"))
            pressed = st.button(
                t("fleet.start.act"), type="primary", key="fleet_start", disabled=not models or fault is not None
            )
        st.caption(t("fleet.start.note"))
        if fault is not None:
            st.info(i18n.error(fault.code, fault.message, fault.facts), icon=":material/extension:")
        if not pressed:
            return
        try:
            folder = begin.start(str(paths.expanded(models)), pictures, bool(purify), engine)
        except BadInput as wrong:
            st.error(i18n.error(wrong.code, wrong.message, wrong.facts), icon=":material/error:")
            return
    st.session_state[STARTED] = folder.name
    st.session_state["fleet_next"] = folder.name
    st.rerun()


def _engine() -> str:
    """Where the runs are done; one that is not installed is listed too: how to get it is told then."""
    names = {name: i18n.t(f"fleet.engine.{name}") for name in ENGINES}
    return st.selectbox(
        t("fleet.engine"), list(names), format_func=names.__getitem__, key="fleet_engine", width=200,
        help=t("fleet.engine_help", address=ADDRESS),
    )  # fmt: skip


def _images() -> str:
    """A named set, an upload, a path of this computer, or "": the CSV names them."""
    given = {f"upload:{one.id}": one for one in uploads.everything() if one.kind == "images"}
    names = {"": t("fleet.start.images_csv")}
    names |= {name: images_name(name) for name in IMAGE_SETS if images.here(name)}
    names |= {key: f"{one.name} · {when(one.created)}" for key, one in given.items()}
    names["path"] = t("give.path")
    chosen = st.selectbox(
        t("fleet.start.images"), list(names), format_func=names.__getitem__, key="fleet_images", width=260,
        help=t("fleet.start.images_help"),
    )  # fmt: skip
    if chosen == "path":
        path = st.text_input(t("give.images_path"), key="fleet_images_path", help=t("give.images_path_help"), width=320)
        return path.strip().strip("\"'")
    return str(given[chosen].path) if chosen in given else str(chosen or "")


def starting(folders: dict[str, Path]) -> bool:
    """Tells of the fleet that was begun last as long as it has no folder of its own; whether it is still to come."""
    name = st.session_state.get(STARTED)
    if not name or name in folders:
        return False
    now = begin.job(place.fleets_folder() / name)
    if now is not None and now.at_work:
        st.progress(0.0, text=t("fleet.start.going", name=i18n.unmarked(name)))
        return True
    if now is not None and now.failure:
        failure = now.failure
        told = i18n.error(str(failure["code"]), str(failure["message"]), failure.get("facts") or {})
        st.error(told, icon=":material/error:")
    del st.session_state[STARTED]
    return False


def steer(folder: Path, standing: Standing) -> None:
    """Stops a fleet that goes on, or takes one up that was stopped before its end: on the same engine, whose cluster is
    the one of ``ADDRESS``, else nodes on this computer."""
    if standing.going:
        if st.button(t("act.stop"), key="fleet_stop", icon=":material/stop:", type="tertiary"):
            begin.stop(folder)
            st.rerun()
        return
    order = place.read_order(folder)
    if standing.stage == "done" or order is None:
        return
    where = None if standing.engine == LOCAL else t("fleet.engine_help", address=ADDRESS)
    if st.button(t("act.resume"), key="fleet_resume", icon=":material/play_arrow:", type="tertiary", help=where):
        try:
            begin.go_on(folder, order, standing.purify or standing.stage == "purify", standing.engine)
        except BadInput as fault:
            st.error(i18n.error(fault.code, fault.message, fault.facts), icon=":material/error:")
            return
        st.session_state[STARTED] = folder.name
        st.rerun()
