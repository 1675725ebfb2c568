"""A roll-out on the page: its stage, its counts, the images on which the models differ, and a person's decision."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import streamlit as st

from core import paths
from core.errors import BadInput
from core.rollout import begin, place, wording
from core.rollout.order import order
from core.rollout.rule import Rule, next_stage
from core.rollout.state import State
from core.runs.record import Run
from core.words import Words
from dashboard import data, i18n
from dashboard.i18n import class_name, language, t
from dashboard.words import percent, when

EVERY = 2.0  # seconds between two looks at a roll-out that goes on
SIDE = 96  # pixels of a picture
FORWARD = ("shadow", "share", "all")
MOST_MOVES = 5


def show(run: Run) -> None:
    """Where the roll-out of a run stands, or how to begin one."""
    job = begin.job(run)
    try:
        state = place.read_state(place.folder_of(run))
    except BadInput as fault:
        _error(fault)
        return
    if job is not None and job.at_work:
        st.fragment(_live, run_every=EVERY)(run)
    elif state is None:
        _failed(run)
        _stages(None, Rule())
        _offer(run)
    else:
        _one(run, state)
        _steer(run)
        _failed(run)


def _live(run: Run) -> None:
    """As long as its process is at work."""
    job = begin.job(run)
    if job is None or not job.at_work:
        st.rerun()
    try:
        state = place.read_state(place.folder_of(run))
    except BadInput as fault:
        _error(fault)
        return
    if state is None:
        done = min(1.0, job.done / job.total) if job and job.total else 0.0
        st.progress(done, text=t("rollout.going"))
        return
    _one(run, state)
    _steer(run)


def _one(run: Run, state: State) -> None:
    _stages(state, state.rule)
    _decision(run, state)
    _figures(state)
    _differing(run, state)
    _moves(state)


def _stages(state: State | None, rule: Rule) -> None:
    """The three stages, the one that it is in marked."""
    if state is not None and state.stage == "off":
        st.warning(t("rollout.off"), icon=":material/block:")
    share = wording.whole_percent(rule.share, Words(language()))
    for cell, (number, name) in zip(st.columns(3), enumerate(FORWARD, 1), strict=True):
        here = state is not None and state.stage == name
        with cell, st.container(border=True, key=f"stage-{name}", height="stretch"):
            icon = ":material/radio_button_checked:" if here else ":material/radio_button_unchecked:"
            st.markdown(f"{icon} **{number}. {i18n.t(f'rollout.stage.{name}')}**")
            st.markdown(i18n.t(f"rollout.stage.{name}.text", share=share))
            if here:
                st.badge(t("rollout.here"), color="blue")


def _decision(run: Run, state: State) -> None:
    """What the rule says, why, and the buttons with which a person decides."""
    words, decision = Words(language()), state.decision
    with st.container(border=True, key="rollout_decision"):
        st.markdown(f"**{t('rollout.rule_says')} {i18n.t(f'rollout.decision.{decision.move}')}**")
        st.markdown("\n".join(f"- {i18n.unmarked(reason)}" for reason in wording.reasons(decision, words)))
        with st.container(horizontal=True, vertical_alignment="center"):
            for move, icon in (("on", "arrow_forward"), ("back", "arrow_back")):
                to = next_stage(state.stage, move)  # type: ignore[arg-type]
                pressed = st.button(
                    i18n.t(f"rollout.do.{move}", stage=i18n.t(f"rollout.stage.{to}")), key=f"rollout_{move}",
                    icon=f":material/{icon}:", type="primary" if decision.move == move else "secondary",
                    disabled=to == state.stage,
                )  # fmt: skip
                if pressed:
                    _order(run, move)
        st.caption(t("rollout.decision_note"))


def _order(run: Run, move: Any) -> None:
    try:
        order(run, move)
    except BadInput as fault:
        _error(fault)
        return
    st.rerun()


def _figures(state: State) -> None:
    tally = state.tally
    st.subheader(t("rollout.figures"), anchor=False)
    cells = st.columns(4)
    cells[0].metric(t("rollout.compared"), f"{tally.compared:,}")
    interval = tally.interval
    cells[1].metric(t("rollout.differ"), percent(tally.disagreement))
    if interval is not None:
        cells[1].caption(t("rollout.interval", low=percent(interval.low), high=percent(interval.high)))
    cells[2].metric(t("rollout.flagged"), f"{tally.flagged:,}")
    if tally.flagged:
        cells[2].caption(t("rollout.averted", count=f"{tally.averted:,}"))
    loss = tally.ba_loss
    cells[3].metric(
        t("rollout.ba"), "–" if loss is None else t("unit.points", value=f"{0.0 - loss:+.1f}".replace("-", "−"))
    )
    cells[3].caption(t("rollout.labelled", count=f"{tally.labelled:,}"))
    st.caption(
        t("rollout.total", images=f"{state.images:,}", purified=f"{state.purified:,}", when=_when(state.last))
    )  # fmt: skip


def _differing(run: Run, state: State) -> None:
    """The newest images on which the models differ: those that speak against the purified model, those that do not."""
    for name, entries in (("differing", state.differing), ("averted", state.averted)):
        if not entries:
            continue
        st.subheader(i18n.t(f"rollout.{name}.title"), anchor=False)
        st.caption(i18n.t(f"rollout.{name}.text"))
        with st.container(horizontal=True, key=f"rollout_{name}"):
            for entry in reversed(entries):
                _picture(run, state, entry)


def _picture(run: Run, state: State, entry: Mapping[str, Any]) -> None:
    path = place.folder_of(run) / place.PICTURES / f"{int(str(entry['key']), 16):016x}.png"
    names = [_class(run, state, entry[which]) for which in ("original", "purified")]
    with st.container(width=SIDE + 40):
        if path.is_file():
            st.image(path.read_bytes(), width=SIDE, alt=" → ".join(names))
        else:
            st.caption(t("rollout.gone"))
        st.caption(f"{i18n.unmarked(names[0])} → **{i18n.unmarked(names[1])}**")


def _class(run: Run, state: State, label: int) -> str:
    return class_name(data.data_name(run), state.classes[label]) if label < len(state.classes) else str(label)


def _moves(state: State) -> None:
    if not state.moves:
        return
    words = Words(language())
    with st.expander(t("rollout.moves"), icon=":material/history:"):
        for entry in reversed(state.moves[-MOST_MOVES:]):
            st.markdown(f"{_when(entry['t'])} · {i18n.unmarked(wording.move(entry, words))}")


def _offer(run: Run) -> None:
    """The form that begins one."""
    rule = Rule()
    with st.container(border=True, key="rollout_begin"):
        st.markdown(f"**{t('rollout.begin')}**")
        with st.container(horizontal=True, vertical_alignment="bottom"):
            inbox = st.text_input(
                t("watch.start.inbox"), key="rollout_inbox", placeholder=t("watch.start.inbox_none"), width=360,
                help=t("watch.start.inbox_help"),
            ).strip().strip("\"'")  # fmt: skip
            images = st.number_input(t("rollout.images"), 1, 10**9, rule.images, key="rollout_images", width=170)
            share = st.number_input(t("rollout.share"), 0.0, 100.0, rule.share, key="rollout_share", width=170)
            limit = st.number_input(
                t("rollout.disagreement"), 0.0, 100.0, rule.disagreement, key="rollout_disagreement", width=170
            )
            pressed = st.button(t("rollout.start"), type="primary", key="rollout_start", disabled=not inbox)
        st.caption(t("rollout.begin_note"))
    if pressed:
        _start(run, paths.expanded(inbox), Rule(images=images, share=share, disagreement=limit))


def _start(run: Run, inbox: Path, rule: Rule | None = None) -> None:
    try:
        begin.start(run, inbox, rule)
    except BadInput as fault:
        _error(fault)
        return
    st.rerun()


def _steer(run: Run) -> None:
    """Whether a process begun here answers, and the button that ends it or begins it again."""
    job, inbox = begin.job(run), begin.inbox_of(run)
    if inbox is None:
        st.caption(t("rollout.outside"))
        return
    at_work = job is not None and job.at_work
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.badge(t("status.running") if at_work else t("status.stopped"), color="gray")
        st.caption(t("rollout.inbox", inbox=i18n.unmarked(str(inbox))), width="content")
        if at_work:
            if st.button(t("rollout.stop"), key="rollout_stop", icon=":material/stop:", type="tertiary"):
                begin.stop(run)
                st.rerun()
        elif st.button(t("rollout.again"), key="rollout_again", icon=":material/play_arrow:", type="tertiary"):
            _start(run, inbox)


def _failed(run: Run) -> None:
    """Why a process that was begun here ended, where it was not asked to."""
    job = begin.job(run)
    if job is not None and not job.at_work and job.failure:
        told = i18n.error(str(job.failure["code"]), str(job.failure["message"]), job.failure.get("facts") or {})
        st.error(told, icon=":material/error:")


def _error(fault: BadInput) -> None:
    st.error(i18n.error(fault.code, fault.message, fault.facts), icon=":material/error:")


def _when(moment: float) -> str:
    return when(datetime.fromtimestamp(moment, UTC).isoformat())
