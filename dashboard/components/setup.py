"""Choosing what to purify and how: one row with safe defaults, the rest behind one button."""

from __future__ import annotations

from typing import Any

import streamlit as st

from core.defenses import DEFENCES
from core.errors import BadInput
from core.runs import supervisor
from core.runs.record import Run
from core.runs.spec import LARGEST_SEED, PROJECTIONS, REPEATS, Spec
from core.victims import Card
from dashboard import data, i18n, live
from dashboard.components import methods
from dashboard.i18n import t
from dashboard.words import images_name, method_name, percent, victim_name

BUDGETS = (0.01, 0.02, 0.05, 0.1)
VICTIM = "setup_victim"


def chosen_victim() -> Card | None:
    """The card now selected; the default one before the visitor has chosen."""
    cards = data.victims()
    return data.victim(st.session_state.get(VICTIM)) or (cards[0] if cards else None)


def row(card: Card, images: str | None, recording: Run | None) -> None:
    """Model, settings and the one primary button, which starts a run and turns the page to it.

    Args:
        card: the victim selected at the moment.
        images: what the run's ``Spec.images`` will be; None where the pixels are still missing.
        recording: what can be replayed instead of computing anything.
    """
    with st.container(horizontal=True, vertical_alignment="bottom", key="setup"):
        _victim()
        spec = _settings(card, images)
        missing = t("fetch.title", images=images_name(card.data)) if images is None else None
        pressed = st.button(t("setup.start"), type="primary", key="start", disabled=images is None, help=missing)
        replay = recording is not None and st.button(
            t("act.replay"), icon=":material/play_arrow:", type="tertiary", key="replay"
        )
    if pressed:
        start(spec)
    if replay and recording is not None:
        live.again()
        turn_to(recording.id)


def _victim() -> None:
    names = {card.name: victim_name(card.data, card.attack) for card in data.victims()}
    st.selectbox(
        t("setup.victim"),
        list(names),
        format_func=names.__getitem__,
        key=VICTIM,
        persist_state="session",
        help=t("setup.victim_help"),
        width=420,
    )


def _settings(card: Card, images: str | None) -> Spec:
    with st.popover(t("setup.settings"), icon=":material/tune:", key="settings"):
        st.caption(t("setup.settings_note"))
        choices = {
            f"{name}.{preset}": method_name(name, preset) for name, m in DEFENCES.items() for preset in m.presets
        }
        method = st.selectbox(
            t("setup.method"), list(choices), format_func=choices.__getitem__, key="setup_method",
            persist_state="session", help=methods.hint(),
        )  # fmt: skip
        defence, _, preset = str(method).partition(".")
        st.caption(i18n.t(f"defence.{defence}.plain"))
        budget = _choice("budget", {share: percent(100 * share, 0) for share in BUDGETS}, 0.05, t("term.budget.text"))
        projection = _choice("projection", _named("projection", PROJECTIONS), "umap", t("term.projection.text"))
        dims = _choice("dims", _named("dims", (2, 3)), 2, t("setup.dims_help"))
        device = _choice("device", _named("device", _devices()), "auto", t("setup.device_help"))
        _, name = data.device_here()
        st.caption(t("device.here", name=name))
        seed = st.number_input(
            t("setup.seed"), 0, LARGEST_SEED, 0, key="setup_seed", persist_state="session", help=t("setup.seed_help")
        )
        repeats = repeats_input("setup_repeats")
    return Spec(
        victim=card.name,
        images=images or card.data,
        defence=defence,
        preset=preset,
        clean_budget=float(budget),
        projection=projection,
        dims=int(dims),
        seed=int(seed),
        device=device,
        repeats=repeats,
    )


def repeats_input(key: str) -> int:
    """How often the run may purify again."""
    least, most = REPEATS
    chosen = st.number_input(
        t("setup.repeats"), least, most, Spec.repeats, key=key, persist_state="session",
        help=t("setup.repeats_help", most=most),
    )  # fmt: skip
    return int(chosen)


def _named(name: str, options: tuple) -> dict[Any, str]:
    """Options with their words, the keys ``<name>.<option>``."""
    return {option: i18n.t(f"{name}.{option}") for option in options}


def _choice(name: str, options: dict[Any, str], default: Any, note: str | None = None) -> Any:
    """A row of options, titled by the key ``setup.<name>``; ids stay when the language changes."""
    return st.segmented_control(
        i18n.t(f"setup.{name}"),
        list(options),
        default=default,
        required=True,
        format_func=options.__getitem__,
        key=f"setup_{name}",
        persist_state="session",
        help=note,
    )


def _devices() -> tuple[str, ...]:
    kind, _ = data.device_here()
    return ("auto", "cpu") if kind == "cpu" else ("auto", kind, "cpu")


def start(spec: Spec) -> None:
    """Starts a run and turns the page to it; a fault of the input is shown as one sentence."""
    try:
        run = supervisor.start(spec)
    except BadInput as fault:
        st.error(i18n.error(fault.code, fault.message, fault.facts), icon=":material/error:")
        return
    turn_to(run.id)


def turn_to(run_id: str | None) -> None:
    """Shows a run, or the start page for None; the address carries the run's id, so that a reload finds it."""
    st.session_state["run"] = run_id
    if run_id:
        st.query_params["run"] = run_id
    else:
        st.query_params.pop("run", None)
    st.rerun()
