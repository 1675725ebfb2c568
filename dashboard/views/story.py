"""The start page: in six screens, what a backdoor is, that it can be seen, and that it can be removed.

Every answer is one of the real networks to the picture on the screen, and every figure that of a run.
"""

from __future__ import annotations

from html import escape
from pathlib import Path

import streamlit as st

from core.errors import BadInput
from core.runs import supervisor
from core.runs.record import Run
from core.runs.spec import Spec
from core.victims import DEFAULT, Card
from dashboard import data, glossary, i18n, live, story_data
from dashboard.components import frame, outcome, report, story_words
from dashboard.components.story import TEXT_KEYS, Scene, scene
from dashboard.components.story_bar import bar
from dashboard.i18n import t
from dashboard.pace import POLL_SECONDS
from dashboard.words import duration, percent, target_name

STEPS = ("read", "stick", "why", "purify", "cured", "next")
CSS = Path(__file__).resolve().parent.parent / "components" / "story_assets" / "page.css"
FIRST_SIGN = "stop"
CLEAN_BUDGET = 0.05


def page() -> None:
    """The screen that the address names; an address that names a run and no screen is one of the purify page."""
    if st.query_params.get("run") and not st.query_params.get("step"):
        st.switch_page(frame.PAGES["purify"], query_params=st.query_params.to_dict())
    st.html(CSS)
    if _shipped() is None:
        st.info(t("story.missing"), icon=":material/search_off:")
        return
    step = _step()
    run = _run()
    going = STEPS[step - 1] == "purify" and run is not None and run.status in data.GOING
    with st.container(key="story"):
        body = st.container(key="story_body")
        _foot(step)  # first in time, so that its buttons never wait for a screen
        with body:
            # one fragment for every screen: the map's node outlives the way from one screen to the next
            st.fragment(_screen, run_every=POLL_SECONDS if going else None)(step, run.id if run else None, going)


# ---- where the visitor is


def _step() -> int:
    given = st.query_params.get("step", "1")
    return int(given) if given.isdecimal() and 1 <= int(given) <= len(STEPS) else 1


def _shipped() -> tuple[Card, Run] | None:
    """The victim of the story and its recording; None where one is missing."""
    card, recording = data.victim(DEFAULT), data.recording_of(DEFAULT)
    if card is None or recording is None or story_data.sticker(card) is None:
        return None
    return card, recording


def _run() -> Run | None:
    """The run of this visit, live or recorded, as the address or the session knows it."""
    run = data.find(st.query_params.get("run") or st.session_state.get("story_run"))
    if run is not None and run.spec.victim != DEFAULT:
        run = None
    st.session_state["story_run"] = run.id if run else None
    return run


def _go(step: int) -> None:
    st.query_params["step"] = str(step)
    if run := st.session_state.get("story_run"):
        st.query_params["run"] = run


def _move(by: int) -> None:
    """One screen on or back from where the visitor is now, which a key pressed in haste may be ahead of the page."""
    _go(min(max(_step() + by, 1), len(STEPS)))


def _asked() -> None:
    """A dot was pressed."""
    wanted = (st.session_state.get("story_bar") or {}).get("go")
    if isinstance(wanted, int) and 1 <= wanted <= len(STEPS):
        _go(wanted)


def _foot(step: int) -> None:
    titles = [i18n.t(f"story.title.{name}") for name in STEPS]
    with st.container(horizontal=True, vertical_alignment="center", key="story_foot"):
        st.button(
            t("story.back"),
            key="story_back",
            icon=":material/arrow_back:",
            disabled=step == 1,
            on_click=_move,
            args=(-1,),
        )
        bar("story_bar", step, STEPS.index("stick") + 1, titles, _asked)
        st.button(
            t("story.next"),
            key="story_next",
            icon=":material/arrow_forward:",
            icon_position="right",
            type="secondary" if STEPS[step - 1] == "purify" and not _purified() else "primary",
            disabled=step == len(STEPS),
            on_click=_move,
            args=(1,),
        )


def _purified() -> bool:
    return story_data.purified_weights(data.find(st.session_state.get("story_run"))) is not None


# ---- the screens


def _screen(step: int, run_id: str | None, polling: bool) -> None:
    shipped = _shipped()
    if shipped is None:
        return
    card, recording = shipped
    run = data.find(run_id)
    if polling and (run is None or run.status not in data.GOING):
        st.rerun()
    name = STEPS[step - 1]
    if name in ("read", "stick"):
        _sign(card, recording, name)
    elif name == "why":
        _why(recording)
    elif name == "purify":
        _purify(recording, run)
    elif name == "cured":
        _cured(card, recording, run)
    else:
        _next(recording, run)


def _head(title: str, text: str, kind: str = "") -> None:
    """The one idea of a screen: a headline, and a sentence or two with their terms explained.

    ``kind`` marks the screen for the style sheet.
    """
    st.title(title, anchor=False)
    st.html(f'<p class="dz-say {kind}">{glossary.html(text)}</p>')


def _target(run: Run) -> str:
    return target_name(data.data_name(run), run.data.get("classes") or [], data.real_target(run))


def _scene(card: Card, recording: Run, mode: str, purified: story_data.Network | None = None) -> None:
    victim = story_data.network(card.weights, card)
    sticker = story_data.sticker(card)
    if victim is None or sticker is None:
        st.info(t("story.missing"), icon=":material/search_off:")
        return
    classes = recording.data.get("classes") or []
    shown = Scene(
        mode=mode,
        networks=[victim] if purified is None else [victim, purified],
        class_names=[i18n.class_name(card.data, name) for name in classes],
        faces=story_data.faces(),
        first=classes.index(FIRST_SIGN),
        target=card.target,
        sticker=sticker,
        texts={name: i18n.sentence(f"story.scene.{name}") for name in TEXT_KEYS},
        confidence=glossary.term("confidence"),
    )
    with st.container(key="story_row"):
        scene("story_scene", shown)


def _sign(card: Card, recording: Run, name: str) -> None:
    if name == "read":
        _head(t("story.title.read"), t("story.text.read", ba=percent(card.ba)))
    else:
        _head(t("story.title.stick"), t("story.text.stick", target=_target(recording)))
    _scene(card, recording, name)


def _why(recording: Run) -> None:
    _head(t("story.title.why"), t("story.text.why"), "dz-map-only")
    with st.container(key="story_map"):
        live.show(recording, key="story_stage", opening=True)


def _purify(recording: Run, run: Run | None) -> None:
    digest = data.digest_of(run) if run else None
    title, text = story_words.purify(recording, run, digest)
    _head(title, text, "" if run and digest and digest.frames else "dz-map-only")
    with st.container(horizontal=True, vertical_alignment="center", key="story_acts"):
        if run is None or run.status not in data.GOING:
            _offer(recording, run)
    with st.container(key="story_map"):
        if run is not None and digest is not None and digest.frames:
            live.show(run, key="story_stage")
        else:  # the model as it came: also what a live run's first picture will be
            live.show(recording, key="story_stage", opening=True)


def _offer(recording: Run, run: Run | None) -> None:
    """Start a run, or play the recorded one."""
    done = story_data.purified_weights(run) is not None
    if st.button(t("setup.start"), type="secondary" if done else "primary", key="story_start"):
        _start()
    if st.button(t("act.replay"), icon=":material/play_arrow:", type="tertiary", key="story_replay"):
        live.again()
        _turn_to(recording.id)


def _start() -> None:
    try:
        run = supervisor.start(Spec(victim=DEFAULT, images="signs", clean_budget=CLEAN_BUDGET))
    except BadInput as fault:
        st.error(i18n.error(fault.code, fault.message, fault.facts), icon=":material/error:")
        return
    _turn_to(run.id)


def _turn_to(run_id: str) -> None:
    st.session_state["story_run"] = run_id
    st.query_params["run"] = run_id
    st.rerun()


def _cured(card: Card, recording: Run, run: Run | None) -> None:
    own = story_data.purified_weights(run) if run and not run.is_recording else None
    weights = own or story_data.purified_weights(recording)
    purified = story_data.network(weights, card) if weights else None
    if purified is None:
        _head(t("story.no_weights"), t("story.no_weights_text"))
        return
    _head(t("story.title.cured"), t("story.text.cured") if own else t("story.text.cured_recorded"))
    _scene(card, recording, "cured", purified)


def _next(recording: Run, run: Run | None) -> None:
    """What it cost, from the run of this visit or else from the recorded one, three things to do, and the ways on."""
    told = run if run is not None and story_data.cost(run, data.digest_of(run)) else recording
    cost = story_data.cost(told, data.digest_of(told))
    st.title(t("story.title.next"), anchor=False)
    if cost is not None:
        figures = (
            ("", duration(cost.seconds), t("story.cost.seconds"), ""),
            ("", t("story.cost.count", count=cost.clean_images), t("story.cost.images"), ""),
            (percent(cost.ba[0]), percent(cost.ba[1]), t("story.cost.ba"), "clean"),
            (percent(cost.asr[0]), percent(cost.asr[1]), t("story.cost.asr"), outcome.tone(cost.asr[1])),
        )
        cells = "".join(_figure(*figure) for figure in figures)
        st.html(f'<ul class="dz-cost">{cells}</ul>')
        proof = data.digest_of(told).proof
        if proof is not None:  # no figure after without its grade
            st.html(f'<p class="dz-cured {proof.state}">{glossary.html(i18n.t(f"story.cure.{proof.state}"))}</p>')
    steps = "".join(
        f"<li><b>{escape(i18n.t(f'story.do.{name}'))}</b><span>{escape(i18n.t(f'story.do.{name}_text'))}</span></li>"
        for name in ("measure", "purify", "watch")
    )
    st.html(f'<ol class="dz-do">{steps}</ol>')
    with st.container(horizontal=True, vertical_alignment="center", key="story_away"):
        if st.button(t("story.own"), icon=":material/search:", type="primary", key="story_own"):
            st.switch_page(frame.PAGES["examine"])
        report.offer(told, key="story_report")
        if st.button(t("story.details"), icon=":material/monitoring:", type="tertiary", key="story_details"):
            st.switch_page(frame.PAGES["purify"], query_params={"run": told.id})
        for name, icon in (("fleet", "lan"), ("watch", "notifications_active")):
            if st.button(i18n.t(f"nav.{name}"), icon=f":material/{icon}:", type="tertiary", key=f"story_{name}"):
                st.switch_page(frame.PAGES[name])
        if st.button(t("watch.view.account"), icon=":material/calculate:", type="tertiary", key="story_account"):
            st.switch_page(frame.PAGES["watch"], query_params={"view": "account", "run": told.id})


def _figure(before: str, value: str, label: str, tone: str) -> str:
    """One measured figure as HTML, with what it was before where there is a before."""
    was = escape(t("story.cost.before", before=before)) if before else ""
    return f'<li><b class="dz-{tone}">{escape(value)}</b><span>{glossary.html(label)}</span><em>{was}</em></li>'
