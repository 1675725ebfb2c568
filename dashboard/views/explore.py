"""A room to take the feature space of one run apart: map, images, neighbours, suspicion, saliency."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.errors import BadInput
from core.explore import place, settled
from core.runs.record import Run
from core.victims import DEFAULT
from dashboard import data, explore_data, glossary, i18n, images
from dashboard.components import explore, fetch, frame, own_picture, settled_map, trigger_class
from dashboard.components.explore_payload import RoomPayload
from dashboard.i18n import t
from dashboard.words import duration, images_name, run_title, when

POLL_SECONDS = 0.8
CHOICE = "explore_run"
HANDOUT = "explore_handout"
AWAITED = "explore_awaited"


def page() -> None:
    """The run of the address, else the one last looked at, else the newest that has a map."""
    head = st.container(horizontal=True, vertical_alignment="bottom", key="head")
    head.title(t("explore.title"), width="content", anchor=False)
    there = {run.id: run for run in data.runs() if explore_data.explorable(run)}
    if not there:
        _nothing()
        return
    run = there[_choose(there, head)]
    st.session_state["run"] = run.id
    if class_of_trigger := trigger_class.told(run):
        st.caption(class_of_trigger)
    lacks, ready = explore_data.lacks(run, _found()), explore_data.base_of(run, _found()) is not None
    lack = lacks.get("features")
    try:
        if ready and lack is None:
            settled_map.choose(run, head)
        obstacle = _missing(lack) if lack else "" if ready else t("own.wait")
        own_picture.choose(run, head, obstacle, _missing(lacks["after"]) if "after" in lacks else "")
    except BadInput as fault:
        _refused(fault)
    if st.query_params.get("run") != run.id:
        st.query_params["run"] = run.id
    st.fragment(_room, run_every=POLL_SECONDS if _waits(run) else None)(run.id, _waits(run))
    if lack is not None and not images.here(run.spec.images):
        fetch.offer(data.data_name(run))


def _nothing() -> None:
    with st.container(border=True, horizontal_alignment="left"):
        st.subheader(t("explore.none"), anchor=False)
        st.markdown(t("explore.none_text"))
        if st.button(t("setup.first"), type="primary", key="explore_first"):
            st.switch_page(frame.PAGES["purify"])


def _choose(there: dict[str, Run], head: DeltaGenerator) -> str:
    wanted = st.query_params.get("run") or st.session_state.get("run")
    if st.session_state.get(AWAITED) in there:  # its map is there now
        wanted = st.session_state[CHOICE] = st.session_state.pop(AWAITED)
    if wanted and wanted not in there and CHOICE not in st.session_state:
        known = data.find(wanted)
        if known is not None and known.status in data.GOING:
            st.session_state[AWAITED] = known.id
        else:
            name = i18n.unmarked(run_title(known) if known else wanted)
            st.info(t("explore.no_map", run=name), icon=":material/search_off:")
    if (soon := _soon()) is not None:
        st.info(t("explore.map_soon", run=i18n.unmarked(run_title(soon))), icon=":material/hourglass_top:")
    first = wanted if wanted in there else _first(there)
    names = {run_id: _name(run) for run_id, run in there.items()}
    st.caption(t("explore.lead"))
    head.space("stretch")
    return head.selectbox(
        t("explore.run"), list(names), index=list(names).index(first), format_func=names.__getitem__, key=CHOICE,
        label_visibility="collapsed", width=480, on_change=lambda: st.session_state.pop(AWAITED, None),
    )  # fmt: skip


def _soon() -> Run | None:
    """The run that the reader came for, as long as it goes on and has not drawn its map yet."""
    name = st.session_state.get(AWAITED)
    run = data.find(name) if name else None
    return run if run is not None and run.status in data.GOING else None


def _first(there: dict[str, Run]) -> str:
    """The visitor's newest run with pictures to look at, else the road signs: not a room of coloured dots."""
    seen = [name for name, run in there.items() if "pictures" not in explore_data.lacks(run)]
    own = [name for name in seen if not there[name].is_recording]
    return next(iter([*own, *(name for name in seen if name == DEFAULT), *seen, *there]))


def _name(run: Run) -> str:
    moment = t("status.recording") if run.is_recording else when(run.data.get("created", ""))
    return f"{run_title(run)} · {moment}"


def _waits(run: Run) -> bool:
    """Whether something that this page shows is being computed, so that it has to look again by itself."""
    lack = explore_data.lacks(run, _found()).get("features")
    going = (run.status in data.GOING and not run.is_recording) or (lack is not None and lack.passes)
    at_work = any(job.at_work for job in place.jobs(run))
    mine = _wanted(run) is not None or settled_map.awaited(run) or own_picture.awaited(run)
    return going or at_work or mine or _soon() is not None


def _wanted(run: Run) -> int | None:
    """The point whose saliency the reader waits for."""
    point = st.session_state.get("explore_saliency", {}).get(run.id)
    if point is None or place.saliency(run, point) is not None:
        return None
    worker = place.job(run, "saliency")
    return None if worker is None or worker.ended else point


def _room(run_id: str, waiting: bool) -> None:
    run = data.find(run_id)
    if run is None or not explore_data.explorable(run):  # deleted under our eyes
        st.rerun()
        return
    found = _found()
    lacks = explore_data.lacks(run, found)
    _begin(run, "features" not in lacks, found)
    missing = {name: _missing(lack) for name, lack in lacks.items()}
    point = st.session_state.get("explore_saliency", {}).get(run.id)
    names = data.data_name(run)
    try:
        payload = explore_data.payload(
            run,
            found,
            title=run_title(run),
            terms={name: glossary.term(name) for name in explore.TERMS},
            texts={name: i18n.sentence(f"explore.room.{name}") for name in explore.TEXT_KEYS},
            class_names=[i18n.class_name(names, name) for name in run.data.get("classes") or []],
            missing=missing,
            jobs=lines_of(run, lacks.get("features")),
            point=point,
            wanted=settled_map.wanted(run),
            own=own_picture.shown(run),
            handout=st.session_state.get(HANDOUT, {}).get(run.id),
        )
    except BadInput as fault:
        st.error(i18n.error(fault.code, fault.message, fault.facts), icon=":material/error:")
        return
    _obey(run, explore.room("explore_room", explore.pack(payload)), payload)
    first = place.job(run, "base")
    failed = first is not None and first.ended and bool(first.failure) and "features" not in lacks
    if failed and st.button(t("act.retry"), key="explore_retry", icon=":material/refresh:") and _started(run):
        st.rerun()
    soon = st.session_state.get(AWAITED)
    drawn = soon and (awaited := data.find(soon)) is not None and explore_data.explorable(awaited)
    if _waits(run) != waiting or drawn:
        st.rerun()


def _obey(run: Run, asked: dict[str, Any] | None, payload: RoomPayload) -> None:
    """Sets going what the reader asked for in the room, once."""
    moment = (asked or {}).get("moment")
    if asked is None or asked.get("run") != run.id or moment == st.session_state.get("explore_asked"):
        return
    if asked.get("kind") == "csv":
        st.session_state["explore_asked"] = moment
        st.session_state[HANDOUT] = {run.id: explore_data.handout(payload, asked)}
        st.rerun()
    order = explore_data.orders(asked, len(payload.labels))
    if not order:
        return
    st.session_state["explore_asked"] = moment
    try:
        if asked["kind"] == "map":
            place.start(run, *order)
        elif asked["kind"] == "settled":
            settled_map.want(run, settled.read(order[1]))
        elif asked["kind"] == "place":
            label = payload.class_names[payload.labels[int(asked["id"])]]
            own_picture.want(run, f"point-{order[1]}", t("own.point", k=order[1], name=i18n.unmarked(label)))
        else:
            point = int(asked["id"])
            st.session_state.setdefault("explore_saliency", {})[run.id] = point
            if place.saliency(run, point) is None:
                place.want(run, point)
    except BadInput as fault:
        _refused(fault)
        return
    st.rerun()


def _started(run: Run) -> bool:
    """Sets the first computation going; False, and told why, where its results could not be kept."""
    try:
        place.start(run)
    except BadInput as fault:
        _refused(fault)
        return False
    return True


def _refused(fault: BadInput) -> None:
    st.error(i18n.error(fault.code, fault.message, fault.facts), icon=":material/error:")


def _found() -> explore_data.Found:
    """What this visit has read so far."""
    found: explore_data.Found = st.session_state.setdefault("explore_found", explore_data.Found())
    return found


def _begin(run: Run, able: bool, found: explore_data.Found) -> None:
    """Sets the first computation going by itself, once, unless a purification needs the machine now."""
    if not able or explore_data.base_of(run, found) is not None or data.going_on() is not None:
        return
    before = place.job(run, "base")
    if before is None or (before.ended and not before.failure):
        _started(run)


def _missing(lack: explore_data.Lack) -> str:
    """Why something is not there."""
    words: dict[str, Callable[[str], str]] = {"data": images_name, "other": _title}
    facts = {name: words.get(name, str)(value) for name, value in lack.facts.items()}
    return i18n.t(f"explore.missing.{lack.key}", **facts)


def _title(run_id: str) -> str:
    run = data.find(run_id)
    return run_title(run) if run is not None else run_id


def lines_of(run: Run, lack: explore_data.Lack | None) -> list[dict[str, Any]]:
    """What is being computed, what the page waits for, and what went wrong."""
    lines = [line_of(job) for job in place.jobs(run) if job.at_work or job.failure]
    if lack is not None and lack.passes:
        lines.insert(0, {"kind": "wait", "words": _missing(lack), "share": None, "fault": False, "still": True})
    if refusal := own_picture.refused(run):
        told = place.Job("place", ended=True, failure=refusal)
        lines = [line for line in lines if line["kind"] != "place"] + [line_of(told)]
    return lines


def line_of(job: place.Job) -> dict[str, Any]:
    """A computation in words."""
    kind = "map" if "-" in job.kind else job.kind
    if kind in ("settled", "place") and job.stage == "load" and not job.ended:
        kind = f"{kind}_load"
    if kind == "place" and job.stage == "map" and not job.ended:
        kind = "settled"
    name = i18n.t(f"explore.job.{kind}")
    if job.ended:
        return {"kind": job.kind, "words": f"{name}: {_fault(job.failure)}", "share": None, "fault": True}
    share = job.done / job.total if job.total else None
    left = t("explore.left", time=duration(job.left)) if job.left is not None and job.total else t("explore.starting")
    return {"kind": job.kind, "words": f"{name} · {left}", "share": share, "fault": False}


def _fault(failure: dict[str, Any]) -> str:
    """Why a computation failed, in the reader's language: a file by its name, for where it lies is this machine's own
    affair; the log beside the note has the rest."""
    code, facts = str(failure.get("code")), failure.get("facts") or {}
    if f"error.{code}" not in i18n.catalogue(i18n.language()):
        return t("error.job_failed", error=code)
    short = {name: Path(fact).name if isinstance(fact, str) else fact for name, fact in facts.items()}
    return i18n.error(code, t("error.job_failed", error=code), short, markdown=False)
