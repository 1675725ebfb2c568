"""The first page: see the backdoor, press one button, watch it dissolve. Live runs and replays share it."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from core.errors import BadInput
from core.runs import supervisor
from core.runs.record import Run
from core.runs.spec import Spec
from core.victims import Card
from dashboard import data, i18n, live
from dashboard.components import fetch, outcome, setup, track
from dashboard.digest import Digest
from dashboard.i18n import t
from dashboard.words import (
    attack_name,
    duration,
    file_size,
    images_name,
    percent,
    run_title,
    target_name,
    triggered_images,
    when,
)

POLL_SECONDS = 0.8
ICONS = {
    "queued": ":material/hourglass_top:",
    "running": ":material/play_circle:",
    "paused": ":material/pause_circle:",
    "done": ":material/check_circle:",
    "stopped": ":material/stop_circle:",
    "failed": ":material/error:",
    "lost": ":material/link_off:",
    "recording": ":material/movie:",
}
ACTIONS = {
    "pause": supervisor.pause,
    "resume": supervisor.resume,
    "retry": supervisor.resume,
    "stop": supervisor.stop,
}


def page() -> None:
    """The run of the address, or of this visit; without one, the invitation."""
    wanted = st.query_params.get("run") or st.session_state.get("run")
    run = data.find(wanted)
    if wanted and run is None:
        st.info(t("state.gone", run=wanted), icon=":material/search_off:")
        st.session_state["run"] = None
    if run is None:
        invitation()
        return
    st.session_state["run"] = run.id
    if st.query_params.get("run") != run.id:
        st.query_params["run"] = run.id
    going = run.status in data.GOING and not run.is_recording
    st.fragment(session, run_every=POLL_SECONDS if going else None)(run.id, going)


def invitation() -> None:
    """A backdoored model, its map with the cluster marked, and one button."""
    card = setup.chosen_victim()
    st.title(t("app.tagline"), anchor=False)
    if card is None:
        with st.container(border=True):
            st.subheader(t("state.no_victims"), anchor=False)
            st.markdown(t("state.no_victims_text"))
        return
    recording = data.recording_of(card.name)
    with st.container(key="lead"):
        st.markdown(_look(card))
    images = fetch.images_of(card.data)
    setup.row(card, images, recording)
    if (other := data.going_on()) is not None:
        _mention(other)
    if recording is not None:
        with st.container(key="opening"):
            live.show(recording, key="opening_stage", opening=True)
    else:
        st.info(t("state.no_recording"), icon=":material/map:")
    if images is None:
        fetch.offer(card.data)


def _look(card: Card) -> str:
    return t(
        "lead.look",
        ba=percent(card.ba),
        asr=percent(card.asr),
        target=i18n.class_name(card.data, card.target_name),
        triggered=triggered_images(card.attack),
    )


def _mention(other: Run) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(t("state.busy"), width="content")
        if st.button(t("act.watch"), type="tertiary", icon=":material/visibility:", key="watch"):
            setup.turn_to(other.id)


def session(run_id: str, polling: bool) -> None:
    """One run: what it is, how it stands, what can be done, the live view, what came of it.

    Args:
        run_id: of a run or a recording.
        polling: this fragment reruns by itself; when the run has ended it asks the page for a last, resting one.
    """
    run = data.find(run_id)
    if run is None:  # deleted under our eyes
        st.rerun()
        return
    status = "recording" if run.is_recording else run.status
    if polling and status not in data.GOING:
        st.rerun()
    digest = data.digest_of(run)
    order = _head(run, status)
    if order is not None:
        setup.start(order)
    _lead(run, status, digest)
    if status != "recording":
        track.draw(digest, over=status not in data.GOING, whole=status == "done")
    if digest.frames or status in data.GOING:
        live.show(run, key="stage", status=_doing(status, digest))
    if digest.before is not None:
        _results(run, digest)
    card = data.victim(run.spec.victim) if status == "recording" else None
    if card is not None and fetch.images_of(card.data) is None:
        fetch.offer(card.data)
    _files(run, status)


def _head(run: Run, status: str) -> Spec | None:
    """What it is, how it stands, what it runs on, and what can be done; the order for a new run if one is wanted."""
    device = data.device_of(run)
    with st.container(horizontal=True, vertical_alignment="center", key="head"):
        st.title(run_title(run), width="content", anchor=False)
        st.badge(i18n.t(f"status.{status}"), icon=ICONS[status], color="gray")
        st.badge(device, icon=":material/memory:", color="gray", help=t("device.run", name=device))
        st.space("stretch")
        return _actions(run, status)


def _lead(run: Run, status: str, digest: Digest) -> None:
    with st.container(key="lead"):
        if status == "failed":
            _failure(run)
        elif status in ("done", "recording"):
            st.markdown(_done(run, digest))
        elif status == "lost":
            st.warning(t("lead.lost", frames=digest.frames), icon=ICONS["lost"])
        else:
            st.markdown(i18n.t(f"lead.{status}"))


def _failure(run: Run) -> None:
    failure = run.data.get("failure") or {}
    code, message = str(failure.get("code", "internal")), str(failure.get("message", ""))
    st.error(f"{t('lead.failed')} {i18n.error(code, message, failure.get('facts') or {})}", icon=ICONS["failed"])
    log = run.folder / "worker.log"
    if code == "internal" and log.exists():
        with st.expander(t("act.log"), icon=":material/description:"):
            st.code(log.read_text(encoding="utf-8", errors="replace")[-6000:], language=None)


def _done(run: Run, digest: Digest) -> str:
    before, after = digest.before, digest.after
    if before is None or after is None:
        return t("lead.done_bare")
    target = digest.scanned.target if digest.scanned else run.data.get("target")
    return t(
        "lead.done",
        triggered=triggered_images(data.attack_of(run)),
        target=target_name(data.data_name(run), run.data.get("classes") or [], target),
        asr_before=percent(before.asr),
        asr_after=percent(after.asr),
        ba_before=percent(before.ba),
        ba_after=percent(after.ba),
    )


def _actions(run: Run, status: str) -> Spec | None:
    """What makes sense now; the next step wears the primary colour."""
    order = None
    with st.container(horizontal=True, key="actions", width="content"):
        if status == "recording":
            order = _fresh(run)
        if status == "running":
            _act(run, "pause", ":material/pause:")
        if status in ("paused", *data.RESUMABLE):
            _act(run, "resume", ":material/play_arrow:", primary=True)
        if status in data.GOING:
            _act(run, "stop", ":material/stop:")
        if status == "failed":
            _act(run, "retry", ":material/refresh:", primary=True)
        if status == "done":
            _download(run)
        if status not in data.GOING:
            label = t("act.other") if status == "recording" else t("setup.again")
            if st.button(label, icon=":material/restart_alt:", key="again"):
                setup.turn_to(None)
    return order


def _act(run: Run, name: str, icon: str, primary: bool = False) -> None:
    if st.button(i18n.t(f"act.{name}"), icon=icon, key=name, type="primary" if primary else "secondary"):
        try:
            ACTIONS[name](run)
        except BadInput as fault:
            st.toast(i18n.error(fault.code, fault.message, fault.facts), icon=ICONS["failed"], duration="long")
            return
        st.rerun()


def _fresh(run: Run) -> Spec | None:
    """The order for a real run of what a recording shows, once the button is pressed."""
    card = data.victim(run.spec.victim)
    if card is None:
        return None
    images = fetch.images_of(card.data)
    missing = t("fetch.title", images=images_name(card.data)) if images is None else None
    pressed = st.button(t("setup.start"), type="primary", key="start", disabled=images is None, help=missing)
    return replace(run.spec, images=images, device="auto") if pressed and images else None


def _download(run: Run) -> None:
    weights = run.folder / "model.safetensors"
    if not weights.exists():
        return
    st.download_button(
        t("act.download"),
        data=weights.read_bytes,  # read when pressed, not at every rerun
        file_name=f"{run.spec.name}-purified.safetensors",
        mime="application/octet-stream",
        icon=":material/download:",
        type="primary",
        on_click="ignore",
        help=t("act.download_help", size=file_size(weights.stat().st_size)),
        key="download",
    )


def _doing(status: str, digest: Digest) -> str:
    """A few words beside the transport."""
    if status not in data.GOING:
        return ""
    return i18n.t(f"phase.{digest.stage}") if status == "running" and digest.stage else i18n.t(f"status.{status}")


def _results(run: Run, digest: Digest) -> None:
    names = [i18n.class_name(data.data_name(run), name) for name in run.data.get("classes") or []]
    left, right = st.columns(2, gap="large")
    with left:
        outcome.figures(digest)
    with right:
        outcome.evidence(digest.scanned, names, data.real_target(run), key="evidence")


def _files(run: Run, status: str) -> None:
    """Where everything is, and how the run was made."""
    with st.expander(t("files.title"), icon=":material/folder_open:"):
        if status == "recording":
            st.markdown(t("files.recorded"))
        else:
            st.markdown(t("files.where"))
            st.code(str(run.folder), language=None, wrap_lines=True)
        spec = run.spec
        total = data.digest_of(run).total_seconds
        st.caption(
            t(
                "files.made",
                when=when(run.data.get("created", "")),
                took=duration(total),
                attack=attack_name(data.attack_of(run)),
                preset=i18n.t(f"preset.{spec.preset}"),
                budget=percent(100 * spec.clean_budget, 0) if spec.clean_budget <= 1 else f"{spec.clean_budget:.0f}",
                projection=i18n.t(f"projection.{spec.projection}"),
                seed=spec.seed,
            )
        )
