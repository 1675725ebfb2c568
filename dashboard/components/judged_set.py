"""What the filters say of a training set: one sentence, the ways on, a map, the scores, and the list to take away."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from core.data import IMAGE_SETS
from core.dataroom import THEN, place
from core.dataroom.place import Listed, Order
from core.errors import BadInput
from core.intake import inspection
from core.runs.spec import Spec
from dashboard import i18n
from dashboard.components import frame, intake, put_back
from dashboard.components.put_back import Visit
from dashboard.i18n import t
from dashboard.words import change, duration, percent, reader

LISTED = 200  # flagged images that the page lists; the CSV has them all


def show(
    folder: Path, order: Order, result: dict[str, Any], begin: Callable[[Order], None], fixed: bool = False
) -> None:
    """A result, its images to look at, and its list to take away.

    Args:
        begin: turns the page to another order.
        fixed: the visit ships, and its folder stays as it is.
    """
    images_of = order.images
    listed = place.listed(folder, list(result["filters"]))
    _head(images_of, result)
    _ways(folder, images_of, result)
    put_back.show(Visit(folder, order, result, listed, fixed, begin))
    left, right = st.columns(2, gap="medium")
    with left:
        _map(folder, images_of, result)
    with right:
        _histogram(result, listed)
    _filters(images_of, result)
    _list(images_of, result, listed)


def refused(code: str, message: str, facts: dict[str, Any]) -> None:
    """Says why there is no result, or no further one."""
    st.error(i18n.error(code, message, facts), icon=":material/error:")


def _head(images_of: str, result: dict[str, Any]) -> None:
    """One sentence on what the filter found, and what to be wary of."""
    target, decided = result["target"], result["filters"][result["filter"]]
    name = "" if target is None else i18n.class_name(images_of, result["classes"][target])
    flagged, total = f"{decided['flagged']:,}", f"{result['images']:,}"
    if not decided.get("judged", True):
        st.warning(t("data_room.not_judged", images=total), icon=":material/warning:")
    elif target is None:
        st.info(t("data_room.nothing", flagged=flagged, images=total), icon=":material/check_circle:")
    else:
        method = i18n.t(f"data_room.filter.{result['filter']}")
        said = t("data_room.found", name=name, method=method, flagged=flagged, images=total)
        st.warning(said, icon=":material/warning:")
    for one in result["warnings"]:
        st.caption(i18n.t(f"found.{one['code']}", **_named(one["facts"])))


def _named(facts: dict[str, Any]) -> dict[str, Any]:
    """Facts with the filters called as the page calls them."""
    named = {
        key: ", ".join(i18n.t(f"data_room.filter.{name}") for name in facts[key].split(", "))
        for key in ("filter", "filters")
        if key in facts
    }
    return facts | named


def _filters(images_of: str, result: dict[str, Any]) -> None:
    def told(value: float | None) -> str:
        return t("data_room.unknown") if value is None else percent(value, 1)

    rows = [
        {
            t("data_room.filter"): i18n.t(f"data_room.filter.{name}"),
            t("data_room.flagged"): one["flagged"] if one.get("judged", True) else None,
            t("data_room.target"): "–" if one["target"] is None
            else i18n.class_name(images_of, result["classes"][one["target"]]),
            t("data_room.recall"): told(one["recall"]),
            t("data_room.false_alarms"): told(one["false_alarms"]),
        }
        for name, one in result["filters"].items()
    ]  # fmt: skip
    st.dataframe(rows, hide_index=True)


def _histogram(result: dict[str, Any], listed: Listed) -> None:
    """The scores of the suspected class, or of all, by one filter, with the threshold."""
    from dashboard.data_room_figures import histogram

    st.subheader(t("data_room.scores"), anchor=False)
    names = list(result["filters"])
    shown = st.segmented_control(
        t("data_room.scores"), names, default=result["filter"], required=True, key="data_room_shown",
        label_visibility="collapsed", format_func=lambda name: i18n.t(f"data_room.filter.{name}"),
    )  # fmt: skip
    one = result["filters"][shown or result["filter"]]
    members = np.isin(listed.labels, one["suspected"]) if one["suspected"] else np.ones(len(listed.labels), bool)
    figure = histogram(
        listed.scores[str(shown or result["filter"])][members], one["threshold"], t("data_room.score"),
        t("data_room.count"), t("data_room.threshold"),
    )  # fmt: skip
    st.plotly_chart(figure, key="data_room_histogram", config={"displayModeBar": False})
    st.caption(t("data_room.of_class") if one["suspected"] else t("data_room.of_all"))


def _ways(folder: Path, images_of: str, result: dict[str, Any]) -> None:
    """The ways on, beside the model that was trained on everything; the model of each can be examined."""
    ways = result.get("then") or {}
    failed = result.get("failed") or []
    if not ways and not failed:
        return
    st.subheader(t("data_room.ways"), anchor=False)
    there = [name for name in ("before", *THEN) if name in ways]
    first = ways.get("before") or {}
    for cell, name in zip(st.columns(max(1, len(there))), there, strict=False):
        one = ways[name]
        with cell, st.container(border=True, key=f"way-{name}", height="stretch", gap="xsmall"):
            st.markdown(f"**{i18n.t(f'data_room.then.{name}')}**")
            fresh = name == "before" or one["asr"] is None or first.get("asr") is None
            fall = None if fresh else change(first["asr"], one["asr"])
            asr = t("data_room.unknown") if one["asr"] is None else percent(one["asr"])
            st.metric(t("data_room.ways.asr"), asr, fall, delta_color="off", delta_arrow="off", help=t("term.asr.text"))
            st.metric(
                t("outcome.ba"), percent(one["ba"]),
                None if name == "before" else change(first["ba"], one["ba"]), delta_color="off", delta_arrow="off",
                help=t("term.ba.text"),
            )  # fmt: skip
            if name != "before":
                st.caption(t("data_room.cost", time=duration(60 * one["minutes"]), lost=f"{one['lost']:,}"))
                weights = folder / Path(str(one.get("weights"))).name
                if weights.is_file() and st.button(
                    t("data_room.prove"), key=f"prove-{name}", icon=":material/fact_check:",
                    help=t("data_room.prove_help", file=weights.name),
                ):  # fmt: skip
                    _examine(weights, images_of)
    for fault in failed:
        refused(fault["code"], fault["message"], fault.get("facts") or {})
    said = [t("data_room.ways_note")]
    if (reviewed := result.get("reviewed")) is not None:
        put, added = (f"{reviewed[name]:,}" for name in ("put_back", "flagged"))
        said.insert(0, t("data_room.ways_reviewed", kept=put, added=added))
    st.caption(reader().joined(said))


def _examine(weights: Path, images_of: str) -> None:
    """Turns to Examine with a candidate: with the clean images of a named set, else for the visitor to give clean ones,
    since those at hand are what is suspected."""
    spec, key = Spec(weights=str(weights), images=images_of), ""
    if images_of in IMAGE_SETS:
        try:
            key = inspection.start(spec)
        except BadInput as fault:
            refused(fault.code, fault.message, fault.facts)
            return
    intake.prefill(spec if key else replace(spec, images=""))
    st.switch_page(frame.PAGES["examine"], query_params={"look": key})


def _map(folder: Path, images_of: str, result: dict[str, Any]) -> None:
    """Where images lie by what the network sees in them, the flagged ones marked."""
    from dashboard.data_room_figures import lying

    found = place.mapped(folder)
    if found is None:
        return
    st.subheader(t("data_room.map"), anchor=False)
    words = {name: t(f"data_room.map.{name}") for name in ("flagged", "missed", "suspected", "others")}
    names = [i18n.class_name(images_of, name) for name in result["classes"]]
    figure = lying(found, result["target"], names, words)
    st.plotly_chart(figure, key="data_room_map", config={"displayModeBar": False})
    st.caption(t("data_room.map_note", count=len(found.at)))


def _list(images_of: str, result: dict[str, Any], listed: Listed) -> None:
    """The flagged images, the most suspicious first."""
    st.subheader(t("data_room.list"), anchor=False)
    scores = listed.scores[result["filter"]]
    order = np.argsort(-scores, kind="stable")
    chosen = order[listed.flagged[order]][:LISTED]
    if not len(chosen):
        st.caption(t("data_room.list_none"))
        return
    names = [i18n.class_name(images_of, name) for name in result["classes"]]
    files = any(listed.files[at] for at in chosen)
    rows = [
        {
            t("data_room.index"): int(at),
            **({t("data_room.file"): listed.files[at]} if files else {}),
            t("data_room.label"): names[listed.labels[at]],
            **{i18n.t(f"data_room.filter.{name}"): round(float(of[at]), 3) for name, of in listed.scores.items()},
        }
        for at in chosen
    ]
    st.dataframe(rows, hide_index=True, height=300, key="data_room_list")
    st.caption(t("data_room.list_note", shown=len(rows), flagged=f"{int(listed.flagged.sum()):,}"))
