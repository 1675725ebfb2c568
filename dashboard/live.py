"""One seam between the pages and the live view: a run in, the stage on the page out."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from core.runs.record import Run
from dashboard import data, i18n
from dashboard.components import hints
from dashboard.components.stage import stage
from dashboard.components.stage_payload import TEXT_KEYS, StagePayload
from dashboard.i18n import t
from dashboard.stage_data import box_of, cache_of, payload_from_run
from dashboard.words import triggered_images

TURN = "replay_turn"  # in the session: how often a recording was asked for


def again() -> None:
    """A recording is asked for: it plays from its first picture, however often it was seen."""
    st.session_state[TURN] = st.session_state.get(TURN, 0) + 1


def show(run: Run, *, key: str, opening: bool = False, status: str = "", hint: bool = False) -> None:
    """Draws a run's live view, or hands it what is new.

    Args:
        run: with or without frames yet; a recording is played once from its first frame.
        key: identity of the view on the page; it keeps its node, zoom and play head while the key stays.
        opening: the start page, which shows only how things stand before the cure.
        status: a few words on what the run is doing.
        hint: say below how a point is asked.
    """
    images = data.data_name(run)
    payload = payload_from_run(
        run,
        cache_of(run),
        texts={name: i18n.sentence(f"stage.{name}") for name in TEXT_KEYS},
        things=triggered_images(data.attack_of(run)),
        class_names=[i18n.class_name(images, name) for name in run.data.get("classes") or []],
        status=status,
        replay=run.is_recording and not opening,
        waiting_title=t("state.first_frame"),
        waiting_text=t("state.first_frame_scan") if run.spec.weights else t("state.first_frame_text"),
    )
    payload = replace(payload, turn=st.session_state.get(TURN, 0) if run.is_recording else 0)
    stage(key=key, payload=before_the_cure(payload) if opening else payload)
    if hint and payload.frames:
        hints.draw("map")


def before_the_cure(payload: StagePayload) -> StagePayload:
    """Only the first frame, and nothing that a scan has yet to find."""
    return replace(
        payload,
        run=f"{payload.run}#before",
        frames=payload.frames[:1],
        metrics=payload.metrics[:1],
        whole=(payload.whole[0], None),
        box=box_of(payload.frames),  # of the whole run: the view does not move when it is played
        trigger_uri=None,
        trigger_on_uri=None,
        live=False,
        replay=False,
    )
