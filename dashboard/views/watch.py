"""Watch: a model in use. When it rang, what was held, whether the stream drifted, and the state of the model's file."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import streamlit as st

from core.watch import place
from core.watch.alerts import Kept, acknowledge, sentence
from core.words import Words
from dashboard import data, watch_data
from dashboard.components.report import reader_zone
from dashboard.i18n import class_name, language, t
from dashboard.watch_data import View, Watch
from dashboard.words import plain, run_title, when

EVERY = 2.0  # seconds: an alert is on the page within
SHOWN, PICTURES = 10, 12
COMMAND = "python -m core watch signs-badnets --inbox FOLDER"


def page() -> None:
    """One watch at a time; without any, how to begin one."""
    st.title(t("watch.title"), anchor=False)
    st.markdown(t("watch.lead"))
    found = watch_data.watches()
    if not found:
        with st.container(border=True):
            st.subheader(t("watch.none"), anchor=False)
            st.markdown(t("watch.none_text"))
            st.code(COMMAND, language=None, wrap_lines=True)
        return
    by_key = {one.key: one for one in found}
    key = st.selectbox(t("watch.which"), list(by_key), format_func=lambda key: _name(by_key[key]), key="watched")
    _live(by_key[key])


def _name(watch: Watch) -> str:
    return f"{run_title(watch.run)} · {watch.inbox}"


@st.fragment(run_every=EVERY)
def _live(watch: Watch) -> None:
    view = watch_data.view(watch)
    _figures(view)
    _alerts(watch, view)
    _timeline(view)
    _held(watch, view)
    _model(watch, view)


def _figures(view: View) -> None:
    if view.images:
        count = sum(one.acknowledged is None for one in view.alerts)
        st.markdown(f"**{t('watch.state', when=_when(view.images[-1]['t']), count=count)}**")
    images, flagged, drift = st.columns(3)
    images.metric(t("watch.images"), f"{len(view.images):,}")
    flagged.metric(t("watch.flagged"), f"{len(view.flagged):,}")
    with drift:
        st.metric(t("watch.drift"), t("watch.drift_yes") if view.moved else t("watch.drift_no"))
        if view.moved:
            groups = dict.fromkeys("features" if name.startswith("feature_") else name for name in view.moved)
            st.caption(t("alert.and").join(t(f"alert.quantity.{name}") for name in groups))


def _alerts(watch: Watch, view: View) -> None:
    st.subheader(t("watch.alerts"), anchor=False)
    if not view.alerts:
        st.markdown(t("watch.no_alerts"))
    words = Words(language())
    classes = [class_name(data.data_name(watch.run), name) for name in watch.classes]
    for one in view.alerts[:SHOWN]:
        with st.container(border=True, gap="xsmall"):
            text, act = st.columns([5, 1], vertical_alignment="center")
            icon = ":material/check_circle:" if one.acknowledged else ":material/notifications_active:"
            text.markdown(f"{icon} {plain(sentence(one.alert, words, classes))}")
            text.caption(_facts(one))
            if one.acknowledged is None:
                with act:
                    _button(watch, one)


def _facts(one: Kept) -> str:
    facts = [_when(one.alert.t), *map(plain, one.alert.files[-3:])]
    facts += [t("watch.acknowledged")] if one.acknowledged else []
    facts += [t("watch.sent")] if one.sent else []
    facts += [t("watch.unsent", why=plain(one.unsent))] if one.unsent else []
    return " · ".join(facts)


def _button(watch: Watch, one: Kept) -> None:
    if st.button(t("watch.acknowledge"), key=f"acknowledge-{one.alert.id}"):
        acknowledge(watch.folder / place.ALERTS, one.alert.id, time.time())
        st.rerun()


def _timeline(view: View) -> None:
    from dashboard.components.watch_figures import timeline  # brings Plotly

    st.subheader(t("watch.timeline"), anchor=False)
    words = {name: t(f"watch.legend.{name}") for name in ("clean", "flagged", "drift", "score")}
    figure = timeline(view.images, [one.alert.t for one in view.alerts], view.drifts, words, reader_zone() or UTC)
    st.plotly_chart(figure, key="watch_timeline", config={"displayModeBar": False})
    st.caption(t("watch.timeline_text"))


def _held(watch: Watch, view: View) -> None:
    st.subheader(t("watch.held"), anchor=False)
    flagged = view.flagged[:PICTURES]
    if not flagged:
        st.markdown(t("watch.no_held"))
        return
    with st.container(horizontal=True):
        for entry in flagged:
            answer = entry["answer"]
            name = class_name(data.data_name(watch.run), watch.classes[answer]) if answer < len(watch.classes) else "?"
            with st.container(width=watch_data.SIDE + 24):
                pixels = watch_data.picture(watch, entry["file"])
                if pixels is None:
                    st.caption(t("watch.gone"))
                else:
                    st.image(pixels, width=watch_data.SIDE)
                st.caption(f"{plain(entry['file'])} · {plain(name)} · {entry['score']:.1f}")


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
