"""Watch: a model in use. When it rang, what was held, whether the stream drifted, and the state of the model's file;
how a purified model is taken into use in stages, and the account of that."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import streamlit as st

from core.recorded import Recording
from core.rollout.begin import can_roll_out
from core.runs.record import Run
from core.watch import place
from core.watch.alerts import Kept, acknowledge, sentence
from dashboard import data, i18n, watch_data
from dashboard.components import account, recorded, rollout, watch_start
from dashboard.i18n import class_name, t
from dashboard.watch_data import View, Watch
from dashboard.words import reader, reader_zone, run_title, when

POLL_SECONDS = 2.0  # seconds: an alert is on the page within
SHOWN, PICTURES = 10, 12
RECORDED = "watch"  # the folder of the recording, and its name in the session
MODELS = ("victim", "purified")
COMMAND = "python -m core watch signs-badnets --inbox FOLDER"
VIEWS = ("watch", "rollout", "account")
VIEW, RUN = "view", "run"  # in the address


def page() -> None:
    """One of three views: the watch, the roll-out, its account."""
    st.title(t("watch.title"), anchor=False)
    wanted = st.query_params.get(VIEW)
    names = {name: i18n.t(f"watch.view.{name}") for name in VIEWS}
    chosen = st.segmented_control(
        t("watch.view"), list(VIEWS), default=wanted if wanted in VIEWS else VIEWS[0], required=True,
        format_func=names.__getitem__, key="watch_view", label_visibility="collapsed",
    )  # fmt: skip
    if chosen != VIEWS[0] or wanted:
        st.query_params[VIEW] = chosen or VIEWS[0]
    with st.container(key="lead"):
        st.markdown(t("watch.lead") if chosen == VIEWS[0] else i18n.t(f"watch.lead.{chosen}"))
    if chosen == VIEWS[0]:
        _watches()
        return
    run = _chosen_run()
    if run is not None:
        (rollout if chosen == "rollout" else account).show(run)


def _chosen_run() -> Run | None:
    """The run that is rolled out: of those that handed out a purified model, the address's or the visitor's latest."""
    runs = {run.id: run for run in sorted(data.runs(), key=watch_start.later) if can_roll_out(run)}
    if not runs:
        st.info(t("rollout.no_run"), icon=":material/info:")
        return None
    wanted = st.query_params.get(RUN)
    if st.session_state.get("rollout_run") not in runs:
        st.session_state["rollout_run"] = wanted if wanted in runs else next(iter(runs))
    names = {key: watch_start.name(key) for key in runs}
    chosen = st.selectbox(
        t("watch.start.run"), list(names), format_func=names.__getitem__, key="rollout_run", width=480
    )  # fmt: skip
    if chosen and wanted != chosen:
        st.query_params[RUN] = chosen
    return runs.get(chosen or "")


def _watches() -> None:
    """One watch at a time; without any, the recorded one. And how to begin one."""
    found = watch_data.watches()
    recording = recorded.find(RECORDED)
    watch_start.offer(opened=not found and recording is None)
    if watch_start.starting(found):
        st.fragment(_until_there, run_every=POLL_SECONDS)()
        return
    by_key = {one.key: one for one in found}
    names = [*by_key, *([RECORDED] if recording else [])]
    if not names:
        with st.container(border=True):
            st.subheader(t("watch.none"), anchor=False)
            st.markdown(t("watch.none_text"))
            st.code(COMMAND, language=None, wrap_lines=True)
        return
    if st.session_state.get("watched") not in names:
        st.session_state["watched"] = names[0]
    if by_key:
        st.selectbox(
            t("watch.which"), names, key="watched",
            format_func=lambda key: _name(by_key[key]) if key in by_key else t("status.recording"),
        )  # fmt: skip
    key = st.session_state["watched"]
    if key in by_key:
        watch_start.steer(by_key[key])
        _live(by_key[key])
    elif recording is not None:
        _recorded(recording)


def _name(watch: Watch) -> str:
    return f"{run_title(watch.run)} · {watch.inbox}"


def _until_there() -> None:
    """Draws nothing; turns to the watch that was begun once something is known of it, or to why nothing is."""
    job = place.job(Path(st.session_state[watch_start.STARTED][0]))
    known = {str(one.folder) for one in watch_data.watches()}
    if job is None or not job.at_work or st.session_state[watch_start.STARTED][0] in known:
        st.rerun()


def _recorded(recording: Recording) -> None:
    """The watch that ships: the same stream before and after purification, and how the two compare."""
    facts = recording.facts
    watches = {which: watch_data.recorded(recording, which) for which in MODELS}
    views = {which: watch_data.view(watch) for which, watch in watches.items() if watch is not None}
    if len(views) < len(MODELS):
        return
    counts = {which: watch_data.counted(view, facts) for which, view in views.items()}
    what = t("watch.recorded", part=facts["part"], one_in=facts["one_in"], angle=f"{facts['angle']:.0f}")
    recorded.banner(recording, what, t("watch.recorded.own", start=t("watch.start")), timed=False)
    for cell, which in zip(st.columns(2), MODELS, strict=True):
        with cell, st.container(border=True, key=f"watch-{which}"):
            one = counts[which]
            st.markdown(f"**{i18n.t(f'watch.recorded.{which}')}**")
            fooled, right = st.columns(2)
            fooled.metric(t("watch.recorded.fooled"), t("watch.recorded.of", count=one.fooled, total=one.triggered))
            right.metric(t("watch.recorded.right"), t("watch.recorded.of", count=one.right, total=one.triggered))
            st.caption(
                t("watch.recorded.caught", caught=one.caught, total=one.triggered, wrong=one.wrong, clean=one.clean)
            )
            if one.until is not None:
                st.caption(i18n.t(f"watch.recorded.until.{which}", count=one.until))
    names = {which: i18n.t(f"watch.recorded.{which}") for which in MODELS}
    chosen = st.segmented_control(
        t("watch.recorded.stream"), list(MODELS), default=MODELS[0], required=True, format_func=names.__getitem__,
        key="watch_recorded",
    )  # fmt: skip
    watch = watches[chosen or MODELS[0]]
    assert watch is not None
    _show(watch, views[watch.which], facts)


@st.fragment(run_every=POLL_SECONDS)
def _live(watch: Watch) -> None:
    _show(watch, watch_data.view(watch))


def _show(watch: Watch, view: View, facts: Mapping[str, Any] | None = None) -> None:
    """A watch as it stands. ``facts``: of a recording."""
    _figures(watch, view)
    _timeline(view, facts)
    _alerts(watch, view, facts)
    _held(watch, view, facts)
    _model(watch, view)


def _figures(watch: Watch, view: View) -> None:
    if view.images and not watch.recorded:
        count = sum(one.acknowledged is None for one in view.alerts)
        st.markdown(f"**{t('watch.state', when=_when(view.images[-1]['t']), count=count)}**")
    images, flagged, drift = st.columns(3)
    images.metric(t("watch.images"), f"{len(view.images):,}")
    flagged.metric(t("watch.flagged"), f"{len(view.flagged):,}", help=t("watch.flagged_help"))
    with drift:
        drifted = t("watch.drift_yes") if view.moved else t("watch.drift_no")
        st.metric(t("watch.drift"), drifted, help=t("watch.drift_help"))
        if view.moved:
            groups = dict.fromkeys("features" if name.startswith("feature_") else name for name in view.moved)
            what = t("alert.and").join(t(f"alert.quantity.{name}") for name in groups)
            st.caption(t("watch.drift_in", what=what))


def _alerts(watch: Watch, view: View, facts: Mapping[str, Any] | None) -> None:
    st.subheader(t("watch.alerts"), anchor=False)
    since = _since(view, facts)
    if not view.alerts:
        st.markdown(t("watch.no_alerts"))
    words = reader()
    classes = [class_name(data.data_name(watch.run), name) for name in watch.classes]
    for one in view.alerts[:SHOWN]:
        with st.container(border=True, gap="xsmall"):
            text, act = st.columns([5, 1], vertical_alignment="center")
            icon = ":material/check_circle:" if one.acknowledged else ":material/notifications_active:"
            text.markdown(f"{icon} {i18n.unmarked(sentence(one.alert, words, classes))}")
            text.caption(" · ".join([*since(one.alert.t), _facts(one)]))
            if one.acknowledged is None and not watch.recorded:
                with act:
                    _button(watch, one)


def _since(view: View, facts: Mapping[str, Any] | None) -> Callable[[float], list[str]]:
    """In which part of a recorded stream a moment lies; nothing of any other stream."""
    parts = watch_data.parts(view, facts) if facts else []

    def told(moment: float) -> list[str]:
        return [i18n.t(f"watch.part.{name}") for name, first, last in parts if first <= moment <= last]

    return told


def _facts(one: Kept) -> str:
    facts = [_when(one.alert.t), *map(i18n.unmarked, one.alert.files[-3:])]
    facts += [t("watch.acknowledged")] if one.acknowledged else []
    facts += [t("watch.sent")] if one.sent else []
    facts += [t("watch.unsent", why=i18n.unmarked(one.unsent))] if one.unsent else []
    return " · ".join(facts)


def _button(watch: Watch, one: Kept) -> None:
    if st.button(t("watch.acknowledge"), key=f"acknowledge-{one.alert.id}"):
        acknowledge(watch.folder / place.ALERTS, one.alert.id, time.time())
        st.rerun()


def _timeline(view: View, facts: Mapping[str, Any] | None) -> None:
    from dashboard.components.watch_figures import timeline  # brings Plotly

    st.subheader(t("watch.timeline"), anchor=False)
    words = {name: t(f"watch.legend.{name}") for name in ("clean", "flagged", "drift", "score")}
    spans = watch_data.parts(view, facts) if facts else []
    parts = [(i18n.t(f"watch.part.{name}"), start, end) for name, start, end in spans]
    moments = [one.alert.t for one in view.alerts]
    figure = timeline(view.images, moments, view.drifts, words, reader_zone() or UTC, parts)
    st.plotly_chart(figure, key="watch_timeline", config={"displayModeBar": False})
    st.caption(t("watch.timeline_text"))


def _held(watch: Watch, view: View, facts: Mapping[str, Any] | None) -> None:
    st.subheader(t("watch.held"), anchor=False)
    triggered = set(facts["triggered"]) if facts else set()
    flagged = sorted(view.flagged, key=lambda entry: entry["file"] not in triggered)[:PICTURES]  # of the attack first
    if not flagged:
        st.markdown(t("watch.no_held"))
        return
    st.caption(t("watch.held_note"))
    with st.container(horizontal=True):
        for entry in flagged:
            answer = entry["answer"]
            name = class_name(data.data_name(watch.run), watch.classes[answer]) if answer < len(watch.classes) else "?"
            with st.container(width=watch_data.SIDE + 24):
                pixels = watch_data.picture(watch, entry["file"])
                if pixels is None:
                    st.caption(t("watch.gone"))
                else:
                    st.image(pixels, width=watch_data.SIDE, alt=entry["file"])
                st.caption(f"{i18n.unmarked(entry['file'])} · {i18n.unmarked(name)} · {entry['score']:.1f}")


def _model(watch: Watch, view: View) -> None:
    st.subheader(t("watch.model"), anchor=False)
    which = t(f"watch.model.{watch.which}") if watch.which in ("victim", "purified") else watch.which
    sha256 = str(view.start.get("model", ""))
    st.markdown(t("watch.model_text", which=which, sha256=sha256[:16], when=_when(view.start.get("t", 0.0))))
    for entry in view.changes:
        if entry["kind"] == "model":
            st.markdown(t("watch.changed", when=_when(entry["t"]), sha256=str(entry["after"])[:16]))
        else:
            verdict = t(f"alert.verdict.{entry['after']}")
            st.markdown(t("watch.scanned", when=_when(entry["t"]), verdict=verdict))


def _when(moment: float) -> str:
    return when(datetime.fromtimestamp(moment, UTC).isoformat())
