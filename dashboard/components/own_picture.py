"""A picture of the visitor's own on the map: choosing it, behind one button, and what this visit looks at."""

from __future__ import annotations

import time
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.data.decode import SUFFIXES
from core.errors import BadInput
from core.explore import pictures, place
from core.explore.settled import PREFIX, Settled, of
from core.files import MB
from core.runs.record import Run
from dashboard import i18n
from dashboard.components import settled_map, trigger_place
from dashboard.components.explore_payload import Own
from dashboard.i18n import t

OPEN = "own"
WANTED = "explore_own"
TURN = "explore_own_turn"  # a place to drop a file forgets the last one only under another key
FAULT = "explore_own_fault"


def choose(run: Run, where: DeltaGenerator, obstacle: str, lack: str = "") -> None:
    """The button, and what opens under it.

    Args:
        obstacle: why no picture can be placed now; empty where one can.
        lack: why it can be placed on the victim's map only; empty where the purified model is there too.
    """
    box = where.popover(t("own.open"), icon=":material/add_photo_alternate:", key=OPEN, on_change="rerun")
    with box:
        st.caption(t("own.lead"))
        if obstacle:
            st.info(obstacle, icon=":material/hourglass_empty:")
            return
        if lack:
            st.caption(lack)
        key = f"own_file_{st.session_state.get(TURN, 0)}"
        st.file_uploader(
            t("own.file"), [suffix.lstrip(".") for suffix in SUFFIXES], key=key, on_change=_take, args=(run, key),
            max_upload_size=pictures.LARGEST // MB,
        )  # fmt: skip
        if fault := st.session_state.get(FAULT):
            st.error(fault, icon=":material/error:")
        st.caption(t("own.note"))
        trigger_place.show(run)
        now = _wanted(run)
        if now and now["subject"].startswith("picture-"):
            st.button(
                t("own.remove", name=i18n.unmarked(now["name"])), key="own_remove", icon=":material/delete:",
                type="tertiary", on_click=_remove, args=(run,),
            )  # fmt: skip


def _take(run: Run, key: str) -> None:
    """Keeps the file that was given and asks for its place; the form goes, so that the map it hides is seen."""
    file = st.session_state.get(key)
    if file is None:
        return
    st.session_state.pop(FAULT, None)
    try:
        want(run, pictures.keep(run, file.name, file.getvalue()), file.name)
    except BadInput as fault:
        st.session_state[FAULT] = i18n.error(fault.code, fault.message, fault.facts)
        return
    finally:
        st.session_state[TURN] = st.session_state.get(TURN, 0) + 1
    st.session_state[OPEN] = False


def _remove(run: Run) -> None:
    if now := st.session_state.get(WANTED, {}).pop(run.id, None):
        pictures.remove(run, now["subject"])


def want(run: Run, subject: str, name: str) -> None:
    """Shows a picture on the settled map that was looked at last, else on the usual one, once it is placed.

    Args:
        name: what the reader calls it.

    Raises:
        BadInput: as ``core.explore.pictures.want``.
    """
    settings = of(settled_map.wanted(run) or {}) or Settled()
    if settings.densmap:  # takes no more points
        settings = Settled(dims=settings.dims)
    now = {"subject": subject, "key": settings.key, "name": name, "moment": time.time()}
    st.session_state.setdefault(WANTED, {})[run.id] = now
    pictures.want(run, subject, settings.key)


def awaited(run: Run) -> bool:
    """Whether the picture of this visit is still being placed.

    A process that went home just as it was asked is set going again, and one that is idle is asked again: what it was
    asked for in between, by another visit, took the place of this.
    """
    now = _wanted(run)
    if now is None or _found(run, now) or refused(run):
        return False
    worker = place.job(run, "place")
    if worker is not None and not worker.at_work and not worker.failure:
        pictures.want(run, now["subject"], now["key"])
        return pictures.source_of(run, now["subject"]) is not None
    return worker is not None and not worker.ended


def shown(run: Run) -> Own | None:
    """The picture of this visit, once it is placed."""
    now = _wanted(run)
    if now is None or (found := _found(run, now)) is None:
        return None
    return Own(f"{now['subject']} {now['key']} {now['moment']}", now["name"], PREFIX + now["key"], *found)


def refused(run: Run) -> dict[str, Any] | None:
    """Why the picture of this visit cannot be placed: code, message and facts, in which the file has its own name."""
    now = _wanted(run)
    failure = pictures.refusal(run, now["subject"], now["key"]) if now else None
    if failure and now:
        facts = dict(failure.get("facts") or {})
        failure["facts"] = facts | ({"file": now["name"]} if "file" in facts else {})
    return failure


def _wanted(run: Run) -> dict[str, Any] | None:
    found: dict[str, Any] | None = st.session_state.get(WANTED, {}).get(run.id)
    return found


def _found(run: Run, now: dict[str, Any]) -> pictures.Placed | None:
    return pictures.placed(run, now["subject"], now["key"])
