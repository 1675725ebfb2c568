"""The settings of a settled map, behind one button, and which one this visit waits for."""

from __future__ import annotations

import time
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.explore import place
from core.explore.settled import (
    FEWEST_NEIGHBORS,
    METRICS,
    MOST_MIN_DIST,
    MOST_NEIGHBORS,
    MOST_SEED,
    SUPERVISIONS,
    Settled,
    of,
)
from core.runs.record import Run
from dashboard.i18n import t

OPEN = "settled"
WANTED = "explore_settled"


def choose(run: Run, where: DeltaGenerator) -> None:
    """The button, and the form that opens under it."""
    usual = Settled()
    box = where.popover(t("settled.open"), icon=":material/tune:", key=OPEN, on_change="rerun")
    box.caption(t("settled.lead"))
    with box.form("settled_form", border=False):
        left, right = st.columns(2)
        dims = left.segmented_control(
            t("settled.dims"), (2, 3), default=usual.dims, required=True, key="settled_dims",
            format_func=lambda dims: t("settled.dims_of", dims=dims), help=t("settled.dims.text"),
        )  # fmt: skip
        metric = right.segmented_control(
            t("settled.metric"), METRICS, default=usual.metric, required=True, key="settled_metric",
            format_func=lambda name: t(f"settled.metric.{name}"), help=t("settled.metric.text"),
        )  # fmt: skip
        neighbors = st.slider(
            t("settled.n_neighbors"), FEWEST_NEIGHBORS, MOST_NEIGHBORS, usual.n_neighbors, key="settled_n_neighbors",
            help=t("settled.n_neighbors.text"),
        )  # fmt: skip
        distance = st.slider(
            t("settled.min_dist"), 0.0, MOST_MIN_DIST, usual.min_dist, step=0.01, key="settled_min_dist",
            help=t("settled.min_dist.text"),
        )  # fmt: skip
        supervised = st.segmented_control(
            t("settled.supervised"), SUPERVISIONS, default=usual.supervised, required=True, key="settled_supervised",
            format_func=lambda name: t(f"settled.supervised.{name}"), help=t("settled.supervised.text"),
        )  # fmt: skip
        densmap = st.toggle(t("settled.densmap"), usual.densmap, key="settled_densmap", help=t("settled.densmap.text"))
        left, right = st.columns([3, 2], vertical_alignment="bottom")
        seeded = left.toggle(t("settled.seeded"), True, key="settled_seeded", help=t("settled.seeded.text"))
        seed = right.number_input(
            t("settled.seed"), 0, MOST_SEED, usual.seed, step=1, key="settled_seed", help=t("settled.seed.text")
        )
        if st.form_submit_button(t("settled.draw"), type="primary", key="settled_draw", on_click=_close):
            kinds = (densmap, supervised or usual.supervised, int(seed or 0) if seeded else None)
            want(run, Settled(dims or usual.dims, neighbors, distance, metric or usual.metric, *kinds))


def _close() -> None:
    """The form goes, so that the map it hides is seen."""
    st.session_state[OPEN] = False


def want(run: Run, settings: Settled) -> None:
    """Shows a settled map, once it is there; what draws it is set going if need be."""
    st.session_state.setdefault(WANTED, {})[run.id] = {"id": settings.id, "moment": time.time()}
    if place.settled_map(run, settings.key) is None:
        place.want_settled(run, settings.key)


def wanted(run: Run) -> dict[str, Any] | None:
    """The map that this visit asked for last: ``id`` and ``moment``."""
    found: dict[str, Any] | None = st.session_state.get(WANTED, {}).get(run.id)
    return found


def awaited(run: Run) -> bool:
    """Whether that map is still being drawn."""
    settings = of(wanted(run) or {})
    if settings is None or place.settled_map(run, settings.key) is not None:
        return False
    worker = place.job(run, "settled")
    return worker is not None and not worker.ended
