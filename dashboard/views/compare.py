"""Several defences on one model: same clean images, same seed, one after the other, and what came of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from core.defenses import COMPARED, DEFENCES
from core.errors import BadInput
from core.runs import queue
from core.runs.record import Run
from core.runs.spec import LARGEST_SEED, Spec
from core.victims import Card
from core.words import clock
from dashboard import compare_data, data, i18n
from dashboard.compare_data import Entry
from dashboard.components import compare, fetch, frame, methods
from dashboard.components.session import ICONS
from dashboard.components.setup import BUDGETS
from dashboard.i18n import t
from dashboard.words import defence_name, images_name, percent, victim_name, when

POLL_SECONDS = 2.0
SEEDS = (1, 3, 5)  # how many, to choose from
GROUP, VICTIM = compare_data.GROUP, compare_data.VICTIM


def page() -> None:
    """The comparison of the address, or one that is going on, or the recorded one of the chosen model."""
    st.title(t("compare.title"), anchor=False)
    with st.container(key="lead"):
        st.markdown(t("compare.lead"))
    cards = {card.name: card for card in data.victims()}
    if not cards:
        st.info(t("state.no_victims"), icon=":material/map:")
        return
    wanted = st.query_params.get(GROUP) or st.session_state.get(GROUP) or compare_data.newest_group()
    runs = compare_data.group(wanted)
    if runs:
        _remember(wanted)
        if runs[0].spec.victim in cards and VICTIM not in st.session_state:  # a reload has forgotten the choice
            st.session_state[VICTIM] = runs[0].spec.victim
    going = any(run.status in data.GOING for run in runs)
    card = cards.get(str(st.session_state.get(VICTIM)), next(iter(cards.values())))
    images = fetch.images_of(card.data)
    specs = _setup(cards, card, images, going)
    if specs:
        _start(specs)
    if images is None:
        fetch.offer(card.data)
    if runs:
        st.fragment(_own, run_every=POLL_SECONDS if going else None)(str(wanted), going)
        return
    recorded = compare_data.entries(compare_data.recorded(card.name))
    if len(recorded) < 2:
        st.info(t("compare.none"), icon=":material/compare_arrows:")
        return
    _head(recorded, t("compare.recorded", when=when(recorded[0].run.data.get("created", ""))))
    compare.results(recorded, card.attack)
    _methods([entry.defence for entry in recorded])
    _links(recorded)


# ---- what to compare


def _setup(cards: dict[str, Card], card: Card, images: str | None, going: bool) -> list[Spec]:
    """Model, methods, settings and one button; the orders once it is pressed."""
    models = {name: victim_name(card.data, card.attack) for name, card in cards.items()}
    known = {name: i18n.t(f"defence.{name}.short") for name in DEFENCES}
    shares = {share: percent(100 * share, 0) for share in BUDGETS}
    with st.container(horizontal=True, vertical_alignment="bottom", key="setup"):
        st.selectbox(
            t("setup.victim"), list(models), format_func=models.__getitem__, key=VICTIM, persist_state="session",
            width=360, help=t("setup.victim_help"),
        )  # fmt: skip
        chosen = st.pills(
            t("compare.methods"), list(known), selection_mode="multi", default=list(COMPARED), width="content",
            format_func=known.__getitem__, key="compare_methods", persist_state="session",
            help=methods.hint(),
        )  # fmt: skip
        with st.popover(t("setup.settings"), icon=":material/tune:", key="settings"):
            budget = st.segmented_control(
                t("setup.budget"), list(shares), default=0.05, required=True, key="compare_budget",
                format_func=shares.__getitem__, persist_state="session", help=t("term.budget.text"),
            )  # fmt: skip
            seed = st.number_input(
                t("setup.seed"), 0, LARGEST_SEED - max(SEEDS) + 1, 0, key="compare_seed", persist_state="session",
                help=t("setup.seed_help"),
            )  # fmt: skip
            many = st.segmented_control(
                t("compare.seeds"), list(SEEDS), default=1, required=True, key="compare_seeds",
                persist_state="session", help=t("compare.seeds_help"),
            )  # fmt: skip
        why = (
            t("compare.busy") if going else t("fetch.title", images=images_name(card.data)) if images is None else None
        )
        pressed = st.button(t("compare.start"), type="primary", key="start", disabled=bool(why) or not chosen, help=why)
    order = [name for name in DEFENCES if name in chosen]
    methods.lines(order)
    if not pressed or images is None:
        return []
    return [
        Spec(
            victim=card.name,
            images=images,
            defence=name,
            clean_budget=float(budget or 0.05),
            seed=int(seed) + more,
            repeats=0,
        )  # most defences cannot purify again
        for more in range(int(many or 1))
        for name in order
    ]


def _start(specs: list[Spec]) -> None:
    try:
        runs = queue.start(specs)
    except BadInput as fault:
        st.error(i18n.error(fault.code, fault.message, fault.facts), icon=ICONS["failed"])
        return
    _remember(runs[0].data["group"])
    st.rerun()


def _remember(group: str | None) -> None:
    """The address carries the comparison, so that a reload finds it; None goes back to the recorded one."""
    st.session_state[GROUP] = group
    if group:
        st.query_params[GROUP] = group
    else:
        st.query_params.pop(GROUP, None)


# ---- the visitor's own comparison


def _own(group: str, polling: bool) -> None:
    """How it goes, what can be done, what has come of it so far."""
    runs = compare_data.group(group)
    entries = compare_data.entries(runs)
    going = any(entry.going for entry in entries)
    if not entries or (polling and not going):
        st.rerun()
        return
    _head(entries, t("compare.own", when=when(runs[0].data.get("created", ""))))
    if going:
        _going(entries)
    _actions(runs, entries, going)
    shown = [entry for entry in entries if entry.digest.before]
    compare.results(shown, data.attack_of(runs[0]))
    _methods(list(dict.fromkeys(entry.defence for entry in entries)))
    _links(shown)


def _head(entries: Sequence[Entry], what: str) -> None:
    """Which model, how many clean images, which seed, on what."""
    run = entries[0].run
    card, spec = data.victim(run.spec.victim), run.spec
    counts = [entry.digest.finished.result.get("clean_images") for entry in entries if entry.digest.finished]
    facts = [
        t("compare.budget", share=percent(100 * spec.clean_budget, 0), count=f"{counts[0]:,}") if counts and counts[0]
        else percent(100 * spec.clean_budget, 0),
        _seeds(entries),
        data.device_of(run),
        what,
    ]  # fmt: skip
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.subheader(victim_name(card.data, card.attack) if card else run.id, anchor=False, width="content")
        st.caption(" · ".join(facts), width="content")


def _seeds(entries: Sequence[Entry]) -> str:
    known = compare_data.seeds(entries)
    if len(known) == 1:
        return t("compare.seed", seed=known[0])
    return t("compare.seeds_are", seeds=", ".join(map(str, known)))


def _called(entry: Entry, entries: Sequence[Entry]) -> str:
    """A method in one word, with its seed where there are several; Markdown."""
    name = str(i18n.unmarked(defence_name(entry.defence, short=True)))
    return name if len(compare_data.seeds(entries)) == 1 else f"{name} · {t('compare.seed', seed=entry.seed)}"


def _going(entries: Sequence[Entry]) -> None:
    """One bar for the whole, and where each method stands."""
    victim = str(entries[0].run.spec.victim)
    known = compare_data.entries(compare_data.recorded(victim))
    done, left = compare_data.progress(entries, known)
    now = next((entry for entry in entries if entry.going), entries[-1])
    method = i18n.unmarked(defence_name(now.defence))
    text = t("compare.now", method=method, number=entries.index(now) + 1, count=len(entries))
    st.progress(min(1.0, done), text=text + ("" if left is None else " · " + t("phase.left", time=clock(left))))
    with st.container(horizontal=True, gap="small"):
        for entry in entries:
            status = i18n.t(f"status.{entry.status}")
            st.badge(f"{_called(entry, entries)}: {status}", icon=ICONS[entry.status], color="gray")


def _actions(runs: Sequence[Run], entries: Sequence[Entry], going: bool) -> None:
    with st.container(horizontal=True):
        if going and st.button(t("act.stop"), icon=":material/stop:", key="stop"):
            _obey(queue.stop, runs)
        unfinished = [entry for entry in entries if entry.status in (*data.RESUMABLE, "failed")]
        if (
            unfinished and not going
            and st.button(t("act.resume"), icon=":material/play_arrow:", type="primary", key="resume")
        ):  # fmt: skip
            _obey(queue.resume, runs)
        if not going and st.button(t("compare.back"), icon=":material/movie:", type="tertiary", key="back"):
            _remember(None)
            st.rerun()


def _obey(order: Callable[[Sequence[Run]], None], runs: Sequence[Run]) -> None:
    """Does what a button says; a fault is told, and the comparison stays as it is."""
    try:
        order(runs)
    except BadInput as fault:
        st.toast(i18n.error(fault.code, fault.message, fault.facts), icon=ICONS["failed"], duration="long")
        return
    st.rerun()


# ---- below the figures


def _methods(defences: Sequence[str]) -> None:
    """What each method does, one sentence each, with its source."""
    with st.expander(t("compare.about"), icon=":material/menu_book:"):
        known = [name for name in defences if name in DEFENCES]
        st.markdown("\n".join(f"- **{defence_name(name)}** — {i18n.t(f'defence.{name}.text')}" for name in known))
        st.caption(t("compare.settings_note"))


def _links(entries: Sequence[Entry]) -> None:
    """Every run can be looked at by itself."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(t("compare.open"), width="content")
        for number, entry in enumerate(entries):
            label = _called(entry, entries)
            again = sum(other.defence == entry.defence for other in entries[:number])
            key = f"open-{entry.defence}{again or ''}"
            if st.button(label, key=key, icon=":material/open_in_new:", type="tertiary"):
                st.session_state["run"] = entry.run.id
                st.switch_page(frame.PAGES["purify"], query_params={"run": entry.run.id})
