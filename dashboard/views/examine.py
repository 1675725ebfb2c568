"""A stranger's model: give it, see what it is, start the scan, read the verdict and take the clean weights away."""

from __future__ import annotations

from dataclasses import replace
from html import escape
from typing import Any, Literal

import streamlit as st

from core import paths
from core.errors import BadInput
from core.intake import inspection, leftovers, uploads
from core.intake.inspection import Inspection
from core.jobs.note import failure
from core.runs import hashes, supervisor
from core.runs.record import Run
from core.runs.spec import Spec
from dashboard import data, i18n, live
from dashboard.components import (
    examined,
    frame,
    inspected,
    intake,
    overruled,
    proof,
    report,
    search,
    session,
    track,
)
from dashboard.components.orders import order
from dashboard.digest import Digest
from dashboard.i18n import t
from dashboard.pace import POLL_SECONDS
from dashboard.words import run_title, when

RUN, LOOK = "examined", "looked"  # in the session: the run, and the inspection, of this visit
RECENT = 5


def page() -> None:
    """The run of the address; else the inspection of the address; else the place to give a model."""
    wanted = st.query_params.get("run")
    if not wanted and "look" not in st.query_params:
        wanted, looked = st.session_state.get(RUN), st.session_state.get(LOOK)
    else:
        looked = st.query_params.get("look")
    run, found = data.find(wanted), inspection.state(looked) if not wanted else None
    if run is not None and not run.spec.weights:  # a shipped victim's: nothing of a stranger's is in it to examine
        st.switch_page(frame.PAGES["purify"], query_params=st.query_params.to_dict() | {"run": run.id})
    for given, there in ((wanted, run), (looked, found or run)):
        if given and there is None:
            st.info(t("examine.gone", name=i18n.unmarked(given)), icon=":material/search_off:")
    _address(run=run.id if run else None, look=found.key if found and not run else None)
    if run is not None:
        going = run.status in data.GOING and not run.is_recording
        st.fragment(one_run, run_every=POLL_SECONDS if going else None)(run.id, going)
    elif found is None:
        invitation()
    elif not found.ended:
        st.fragment(waiting, run_every=POLL_SECONDS)(found.key)
    else:
        checking(found)


def _address(run: str | None = None, look: str | None = None) -> None:
    """The address carries what is shown, so that a reload finds it; the session, so that another page does."""
    st.session_state[RUN], st.session_state[LOOK] = run, look
    for name, value in (("run", run), ("look", look)):
        if value and st.query_params.get(name) != value:
            st.query_params[name] = value
        elif not value:
            st.query_params.pop(name, None)


def _turn_to(run: str | None = None, look: str | None = None) -> None:
    _address(run, look)
    st.rerun()


def invitation() -> None:
    """What can be examined, the two places to give it, what lies here, and what was examined before."""
    _tidy(str(paths.home()))
    st.title(t("examine.title"), anchor=False)
    with st.container(key="lead"):
        st.markdown(t("examine.lead"))
    spec = intake.offer()
    if spec is not None:
        _look_at(spec)
    intake.kept()
    _steps()
    _earlier()


def _steps() -> None:
    """What comes of it, before anything was given."""
    shown = "".join(
        f"<li><b>{escape(t(f'examine.step.{step}'))}</b><span>{escape(t(f'examine.step.{step}_text'))}</span></li>"
        for step in ("look", "scan", "answer")
    )
    st.html(f'<ol class="dz-steps">{shown}</ol>')


@st.cache_resource(show_spinner=False)
def _tidy(home: str) -> None:
    """Once in a server's life: removes what an earlier one, or its workers, left half kept or half unpacked."""
    leftovers.sweep()


def _look_at(spec: Spec, corrected: Inspection | None = None) -> None:
    try:
        key = inspection.start(replace(spec, images=uploads.lies_now(spec.images)))
    except BadInput as fault:
        st.error(inspected.told(failure(fault), spec), icon=":material/error:")
        return
    if corrected is not None:
        overruled.remember(key, corrected)
    _turn_to(look=key)


def _earlier() -> None:
    mine = [run for run in data.runs() if run.spec.weights and not run.is_recording]
    if not mine:
        return
    st.subheader(t("examine.earlier"), anchor=False)
    for run in mine[:RECENT]:
        status, digest = run.status, data.digest_of(run)
        with st.container(horizontal=True, vertical_alignment="center", border=True):
            st.markdown(f"**{i18n.unmarked(run_title(run))}**", width="content")
            verdict = i18n.t(f"verdict.short.{digest.scanned.verdict}") if digest.scanned else None
            cure = t("runs.cure_is", cure=proof.short(digest)) if digest.graded else None
            st.badge(i18n.t(f"status.{status}"), icon=session.ICONS[status], color="gray")
            st.caption(" · ".join(word for word in (verdict, cure, when(run.created)) if word), width="content")
            st.space("stretch")
            if st.button(t("act.open"), key=f"open-{run.id}"):
                _turn_to(run=run.id)
    if len(mine) > RECENT and st.button(t("examine.all"), type="tertiary", key="all"):
        st.switch_page(frame.PAGES["runs"])


def waiting(key: str) -> None:
    """An inspection at work: what it does, what it knows already, and a way out."""
    found = inspection.state(key)
    if found is None or found.ended:
        st.rerun()
        return
    _look_head(found)
    st.markdown(i18n.t(f"look.doing.{found.step or 'weights'}"))
    st.html(inspected.steps(found))
    inspected.facts(found)
    if st.button(t("act.cancel"), icon=":material/close:", key="cancel-look"):
        inspection.cancel(key)
        intake.prefill(found.spec)
        _turn_to()


def _look_head(found: Inspection) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key="head"):
        st.title(i18n.unmarked(_title(found.spec)), width="content", anchor=False)
        st.space("stretch")
        unread = bool(found.failure) and not found.result.get("images")  # then other files are the way on
        kind: Literal["primary", "secondary"] = "primary" if unread else "secondary"
        if found.ended and st.button(t("look.change"), icon=":material/arrow_back:", key="change", type=kind):
            intake.prefill(_with_images(found))
            _turn_to()


def _title(spec: Spec) -> str:
    """The visitor's own name for the file of weights."""
    upload = uploads.find(uploads.holding(spec.weights))
    return upload.name if upload else str(spec.weights).rsplit("/", 1)[-1]


def _with_images(found: Inspection) -> Spec:
    """The order of an inspection with its images where they lie now: a .zip has been unpacked meanwhile."""
    images = found.result.get("images", {}).get("path")
    return replace(found.spec, images=images or uploads.lies_now(found.spec.images))


def checking(found: Inspection) -> None:
    """What the inspection found, to be confirmed or corrected, and the button that starts the examination."""
    _look_head(found)
    wrong: dict[str, Any] = found.failure or found.result.get("objection") or {}
    if wrong:
        inspected.objection(wrong, found)
        if found.failure and st.button(t("act.retry"), icon=":material/refresh:", key="retry-look"):
            _look_at(_with_images(found))
    else:
        with st.container(key="lead"):
            st.markdown(t("look.lead"))
    if (before := overruled.made_worse(found)) is not None:
        _turn_to(look=before)
    place = st.container()  # above the fold: what was found is read below it, and needs no scrolling to be agreed to
    left, right = st.columns([3, 2], gap="medium")
    with left:
        if found.result.get("found"):
            st.subheader(t("look.model"), anchor=False)
            inspected.facts(found)
            inspected.tensors(found)
            inspected.table(found)
        mends = wrong.get("code") in inspected.NAMED
        if mends or found.result.get("images"):  # before those are read, neither network nor scaling is at fault
            again = overruled.correct(found, expanded=mends)
            if again is not None:
                _look_at(again, corrected=found)
    names: list[str] = []
    if found.result.get("images"):
        with right:
            st.subheader(t("look.classes"), anchor=False)
            pictures = st.container()
            names = overruled.rename(found)
            with pictures:
                inspected.classes(found, names)
            if warning := inspected.few(found.result["images"]):
                st.warning(warning, icon=":material/photo_library:")
    if not wrong:
        with place:
            _start(found, names)


def _start(found: Inspection, names: list[str]) -> None:
    result = found.result
    given = replace(_with_images(found), arch=result["arch"], normalize=result["normalize"])
    spec = order(given, names, result["images"])
    if (other := data.going_on()) is not None:
        st.caption(t("state.busy") + f" ({i18n.unmarked(run_title(other))})")
    if spec is None:
        return
    try:
        run = supervisor.start(spec, title=_title(found.spec))
    except BadInput as fault:
        st.error(inspected.told(failure(fault), spec), icon=":material/error:")
        return
    _turn_to(run=run.id)


def one_run(run_id: str, polling: bool) -> None:
    """One examination: how it stands, the live view, the verdict with its evidence, what to take away.

    Args:
        run_id: of a run.
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
    _head(run, status, digest)
    examined.lead(run, status, digest)
    skipped = ("purify", "verify") if run.spec.scan_only else ()
    names = [i18n.class_name(data.data_name(run), name) for name in run.data.get("classes") or []]
    track.draw(digest, over=status not in data.GOING, whole=status == "done", skip=skipped, names=names)
    if status in data.GOING and digest.searching:
        search.draw(digest, names)
    elif digest.frames or status in data.GOING:
        live.show(run, key="examine_stage", status=session.doing(status, digest), hint=True)
    if digest.scanned is not None:
        examined.results(run, digest)
    if digest.before is not None and status not in data.GOING:
        report.next_steps(run, away=not examined.answered(status, digest))
    examined.files(run, digest)


def _head(run: Run, status: str, digest: Digest) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key="head"):
        session.badges(run, status)
        st.space("stretch")
        with st.container(horizontal=True, key="actions", width="content"):
            session.steering(run, status)
            if status in data.GOING:
                return
            if (
                status == "done"
                and run.spec.scan_only
                and st.button(
                    t("examine.purify"), type="primary", icon=":material/cleaning_services:", key="purify",
                    help=t("examine.purify_help"),
                )
            ):  # fmt: skip
                _purify(run)
            if st.button(t("examine.correct"), icon=":material/edit:", key="correct", help=t("examine.correct_help")):
                _look_at(replace(run.spec, class_names=None, scan_of=None))
            if st.button(t("examine.another"), icon=":material/add:", key="another", type="tertiary"):
                _turn_to()


def _purify(scan: Run) -> None:
    """Goes on from a scan, with what it found; refused where its files are no longer those that it is of."""
    spec = replace(scan.spec, scan_only=False, scan_of=scan.id)
    try:
        hashes.check(scan)
        new = supervisor.start(spec, title=run_title(scan))
    except BadInput as fault:
        st.error(inspected.told(failure(fault), spec), icon=":material/error:")
        return
    _turn_to(run=new.id)
