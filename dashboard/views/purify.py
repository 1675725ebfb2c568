"""The first page: see the backdoor, press one button, watch it dissolve. Live runs and replays share it."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import Any

import streamlit as st

from core.errors import BadInput
from core.runs.record import HeldRun, Run
from core.runs.spec import Spec
from core.victims import Card
from dashboard import compare_data, data, i18n, live
from dashboard.components import fetch, frame, links, outcome, proof, report, search, session, setup, track
from dashboard.digest import Digest
from dashboard.i18n import t
from dashboard.pace import VIEWERS
from dashboard.words import (
    attack_name,
    duration,
    images_name,
    method_name,
    percent,
    target_name,
    triggered_images,
    when,
)

APART = 35.0  # percent dissolved; below, the images with the trigger stand apart from their classes


def page() -> None:
    """The run of the address, or of this visit; without one, the invitation."""
    wanted = st.query_params.get("run") or st.session_state.get("run")
    run = data.find(wanted)
    if wanted and run is None:
        st.info(t("state.gone", run=i18n.unmarked(wanted)), icon=":material/search_off:")
        st.session_state["run"] = None
    if run is None:
        invitation()
        return
    if run.spec.weights:  # a stranger's: its figures are estimates, and its own page words them so
        st.session_state["run"] = None
        st.switch_page(frame.PAGES["examine"], query_params=st.query_params.to_dict() | {"run": run.id})
    st.session_state["run"] = run.id
    if st.query_params.get("run") != run.id:
        st.query_params["run"] = run.id
    going = run.status in data.GOING and not run.is_recording
    st.fragment(one_run)(run.id, going)


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
        st.markdown(_look(card, recording))
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


def _look(card: Card, recording: Run | None) -> str:
    """What is wrong with the model; that its images gather in a cluster only where the recording shows so."""
    result = (recording.data.get("result") or {}) if recording else {}
    apart = float(result.get("dissolution_before") or 0.0) < APART
    return t(
        "lead.look" if apart else "lead.look_among",
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


def one_run(run_id: str, polling: bool) -> None:
    """One run: what it is, how it stands, what can be done, the live view, what came of it.

    Args:
        run_id: of a run or a recording.
        polling: what moves is looked at again and again; all else is drawn anew when the run has come further.
    """
    run = data.find(run_id)
    if run is None:  # deleted under our eyes
        st.rerun()
        return
    status = "recording" if run.is_recording else run.status
    digest = data.digest_of(run)
    order = _head(run, status, digest)
    if order is not None:
        setup.start(order)
    if polling:
        _note(run_id)
    st.fragment(_moving, run_every=VIEWERS.every(run_id) if polling else None)(
        run_id, _standing(status, digest) if polling else None
    )
    if status not in data.GOING:
        with st.container(horizontal=True, key="onward"):
            links.offer(run, compare_data.comparisons(data.runs()).get(run.id), key="onward")
    if digest.before is not None:
        _results(run, digest)
        if status not in data.GOING:
            report.next_steps(run)
    card = data.victim(run.spec.victim) if status == "recording" else None
    if card is not None and fetch.images_of(card.data) is None:
        fetch.offer(card.data)
    _files(run, status)


def _note(run_id: str) -> None:
    VIEWERS.note(run_id, st.session_state.setdefault("viewer", secrets.token_hex(8)))


def _standing(status: str, digest: Digest) -> tuple[Any, ...]:
    """What the resting parts of the page are drawn from: they are drawn anew when it changes, some ten times a run."""
    known = (digest.before, digest.scanned, digest.after, digest.proof, digest.finished)
    return status, digest.stage, len(digest.repeats), *(found is not None for found in known)


def _moving(run_id: str, drawn: tuple[Any, ...] | None) -> None:
    """What changes all the time while a run goes on: the stages and the live view, which every viewer polls.

    Args:
        drawn: what the rest of the page was drawn from; None where nothing moves.
    """
    found = data.find(run_id)
    try:
        run = HeldRun(found) if found else None
    except BadInput:
        run = None
    if run is None:  # deleted under our eyes
        st.rerun()
        return
    if drawn is not None:
        _note(run_id)
    status = "recording" if run.is_recording else run.status
    digest = data.digest_of(run)
    if drawn is not None and (status not in data.GOING or drawn != _standing(status, digest)):
        st.rerun()
    _lead(run, status, digest)
    names = [i18n.class_name(data.data_name(run), name) for name in run.data.get("classes") or []]
    if status != "recording":
        track.draw(
            digest, over=status not in data.GOING, whole=status == "done", names=names,
            skip=() if data.scans(run) else ("scan",),
        )  # fmt: skip
    if status in data.GOING and digest.searching:
        search.draw(digest, names)
    elif digest.frames or status in data.GOING:
        live.show(run, key="stage", status=session.doing(status, digest), hint=True)


def _head(run: Run, status: str, digest: Digest) -> Spec | None:
    """What it is, how it stands, what it runs on, and what can be done; the order for a new run if one is wanted."""
    with st.container(horizontal=True, vertical_alignment="center", key="head"):
        session.badges(run, status)
        st.space("stretch")
        return _actions(run, status, digest)


def _lead(run: Run, status: str, digest: Digest) -> None:
    with st.container(key="lead"):
        if status == "failed":
            session.failure(run)
        elif status in ("done", "recording"):
            proof.lead(digest)
            st.markdown(_done(run, digest))
        elif status == "lost":
            st.warning(t("lead.lost", frames=digest.frames), icon=session.ICONS["lost"])
        else:
            told = i18n.t(f"lead.{status}")
            if status == "running" and digest.stage in ("scan", "verify"):
                told = session.verifying(digest) if digest.stage == "verify" else t("phase.scan_help")
            st.markdown(told + (session.again(run, digest) if status in data.GOING else ""))


def _done(run: Run, digest: Digest) -> str:
    before, after = digest.before, digest.after
    if before is None or after is None:
        return t("lead.done_bare")
    target = data.measured_target(run, digest)
    return t(
        "lead.done",
        triggered=triggered_images(data.attack_of(run)),
        target=i18n.unmarked(target_name(data.data_name(run), run.data.get("classes") or [], target)),
        asr_before=percent(before.asr),
        asr_after=percent(after.asr),
        ba_before=percent(before.ba),
        ba_after=percent(after.ba),
    )


def _actions(run: Run, status: str, digest: Digest) -> Spec | None:
    """What makes sense now; the next step wears the primary colour."""
    order = None
    with st.container(horizontal=True, key="actions", width="content"):
        if status == "recording":
            order = _fresh(run)
        session.steering(run, status)
        if status == "done" and not proof.is_kept(run, digest):
            sound, label = proof.is_sound(digest), t("act.download")
            if not session.download(run, "model.onnx", label, primary=sound):
                session.download(run, "model.safetensors", label, primary=sound)
        if status not in data.GOING:
            label = t("act.other") if status == "recording" else t("setup.again")
            if st.button(label, icon=":material/restart_alt:", key="again"):
                setup.turn_to(None)
    return order


def _fresh(run: Run) -> Spec | None:
    """The order for a real run of what a recording shows, once the button is pressed."""
    card = data.victim(run.spec.victim)
    if card is None:
        return None
    images = fetch.images_of(card.data)
    missing = t("fetch.title", images=images_name(card.data)) if images is None else None
    pressed = st.button(t("setup.start"), type="primary", key="start", disabled=images is None, help=missing)
    return replace(run.spec, images=images, device="auto") if pressed and images else None


def _results(run: Run, digest: Digest) -> None:
    names = [i18n.class_name(data.data_name(run), name) for name in run.data.get("classes") or []]
    left, right = st.columns(2, gap="large")
    with left:
        outcome.figures(digest)
        proof.draw(run, digest, names)
    with right:
        if data.scans(run):
            outcome.evidence(digest, names, data.real_target(run), key="evidence")
        else:
            st.subheader(t("evidence.title"), anchor=False)
            st.caption(t("evidence.no_scan"))


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
                preset=method_name(spec.defence, spec.preset),
                budget=percent(100 * spec.clean_budget, 0) if spec.clean_budget <= 1 else f"{spec.clean_budget:.0f}",
                projection=i18n.t(f"projection.{spec.projection}"),
                seed=spec.seed,
            )
        )
