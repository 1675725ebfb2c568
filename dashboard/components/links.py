"""Where else a run can be looked at: taken apart on Explore, beside other methods on Compare, rolled out on Watch."""

from __future__ import annotations

import streamlit as st

from core.rollout.begin import can_roll_out
from core.runs.record import Run
from dashboard import compare_data, explore_data, i18n
from dashboard.components import frame
from dashboard.i18n import t


def offer(run: Run, where: str | None, key: str, compact: bool = False) -> None:
    """Buttons that lead there, each where it makes sense; to be called inside a horizontal container.

    Args:
        where: as ``compare_data.comparisons`` has it for this run; None: nowhere.
        key: of the buttons; another one for every run on a page.
        compact: shorter words, for a row of a list.
    """
    if explore_data.explorable(run):
        words = t("nav.explore") if compact else t("act.explore")
        if st.button(words, key=f"{key}-explore", icon=":material/scatter_plot:", type="tertiary"):
            st.switch_page(frame.PAGES["explore"], query_params={"run": run.id})
    if not compact and can_roll_out(run):
        for view, icon in (("rollout", "conversion_path"), ("account", "calculate")):
            if st.button(i18n.t(f"watch.view.{view}"), key=f"{key}-{view}", icon=f":material/{icon}:", type="tertiary"):
                st.switch_page(frame.PAGES["watch"], query_params={"view": view, "run": run.id})
    if where is not None:
        words = t("nav.compare") if compact else t("act.compare")
        if st.button(words, key=f"{key}-compare", icon=":material/compare_arrows:", type="tertiary"):
            _compare(run, where)


def _compare(run: Run, where: str) -> None:
    """Turns to a comparison: one of the visitor's own, or the recorded one of the run's model."""
    st.session_state[compare_data.GROUP] = where or None
    st.session_state[compare_data.VICTIM] = run.spec.victim
    st.switch_page(frame.PAGES["compare"], query_params={compare_data.GROUP: where} if where else None)
