"""The last step before an examination: how many clean images, what to do, the target if it is known; and Start."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import streamlit as st

from core.data.enough import ENOUGH, enough
from core.runs.spec import LARGEST_SEED, Spec
from dashboard import data, i18n
from dashboard.components import setup
from dashboard.i18n import t
from dashboard.words import percent

SHARES = (0.01, 0.05, 0.1)
NUMBER = "number"


def order(spec: Spec, names: list[str], images: dict[str, Any]) -> Spec | None:
    """One row of choices with safe defaults; the whole order once Start is pressed.

    Args:
        spec: weights, images, network and scaling.
        names: of the classes, as the visitor reads or has typed them.
        images: ``classes`` as the images name them, and the number ``train`` of training images.
    """
    st.subheader(t("order.title"), anchor=False)
    with st.container(horizontal=True, vertical_alignment="bottom", key="order"):
        scan_only = _do() == "scan"
        budget = _budget(images["train"], len(images["classes"]))
        targets: dict[int | None, str] = {None: t("order.target_find")} | dict(enumerate(names))
        target = st.selectbox(
            t("order.target"), list(targets), key="order_target", width=240, help=t("order.target_help"),
            format_func=targets.__getitem__,
        )  # fmt: skip
        seed, device, repeats = _more()
        pressed = st.button(t("order.start"), type="primary", key="start-examination", icon=":material/play_arrow:")
    st.caption(t("order.note", count=f"{_count(budget, images['train']):,}"))
    if not pressed:
        return None
    plain = [i18n.class_name(spec.images, name) for name in images["classes"]]
    return replace(
        spec, clean_budget=budget, scan_only=scan_only, target=target, seed=seed, device=device, repeats=repeats,
        class_names=None if names == plain else names,
    )  # fmt: skip


def _do() -> str:
    words = {name: i18n.t(f"order.do.{name}") for name in ("purify", "scan")}
    chosen = st.segmented_control(
        t("order.do"), list(words), default="purify", required=True, key="order_do", persist_state="session",
        format_func=words.__getitem__, help=t("order.do_help"),
    )  # fmt: skip
    return chosen or "purify"


def _budget(train: int, classes: int) -> float | int:
    """A share of the training images, or a number of them; of a small set a number at first, since a share of it
    would hardly hold an image of each class."""
    words = {share: percent(100 * share, 0) for share in SHARES} | {NUMBER: t("order.number")}
    few = 0.05 * train < ENOUGH
    chosen = st.segmented_control(
        t("setup.budget"), list(words), default=NUMBER if few else 0.05, required=True, format_func=words.__getitem__,
        key="order_budget_few" if few else "order_budget", persist_state="session", help=t("term.budget.text"),
    )  # fmt: skip
    if chosen != NUMBER:
        return float(chosen or 0.05)
    return int(
        st.number_input(
            t("order.images"), min(classes, train), train, enough(train, classes), key="order_number", width=140
        )
    )


def _count(budget: float | int, train: int) -> int:
    return int(budget * train + 0.5) if isinstance(budget, float) else budget


def _more() -> tuple[int, str, int]:
    kind, name = data.device_here()
    kinds = ("auto", "cpu") if kind == "cpu" else ("auto", kind, "cpu")
    devices = {kind: i18n.t(f"device.{kind}") for kind in kinds}
    with st.popover(t("setup.settings"), icon=":material/tune:", key="order_more"):
        st.caption(t("setup.settings_note"))
        device = st.segmented_control(
            t("setup.device"), list(devices), default="auto", required=True, key="order_device",
            persist_state="session", format_func=devices.__getitem__, help=t("setup.device_help"),
        )  # fmt: skip
        st.caption(t("device.here", name=name))
        seed = st.number_input(
            t("setup.seed"), 0, LARGEST_SEED, 0, key="order_seed", persist_state="session", help=t("setup.seed_help")
        )
        repeats = setup.repeats_input("order_repeats")
    return int(seed), device or "auto", repeats
