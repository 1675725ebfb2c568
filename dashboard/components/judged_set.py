"""What the filters say of a training set: one sentence, the ways on, a map, the scores, and the list to take away."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from core.dataroom import THEN, place
from core.dataroom.place import Listed
from dashboard import i18n
from dashboard.i18n import t
from dashboard.words import change, duration, percent

LISTED = 200  # flagged images that the page lists; the CSV has them all


def show(folder: Path, images_of: str, result: dict[str, Any]) -> None:
    """A result, and its list to take away.

    Args:
        images_of: the set, for its names of classes.
    """
    listed = place.listed(folder, list(result["filters"]))
    _head(folder, images_of, result)
    _ways(result)
    left, right = st.columns(2, gap="medium")
    with left:
        _map(folder, images_of, result)
    with right:
        _suspicious(folder, result)
    _filters(result)
    _histogram(result, listed)
    _list(images_of, result, listed)


def refused(code: str, message: str, facts: dict[str, Any]) -> None:
    """Says why there is no result, or no further one."""
    st.error(i18n.error(code, message, facts), icon=":material/error:")


def _head(folder: Path, images_of: str, result: dict[str, Any]) -> None:
    """One sentence, what to be wary of, and the list to take away."""
    target = result["target"]
    name = "" if target is None else i18n.class_name(images_of, result["classes"][target])
    flagged, total = f"{result['flagged']:,}", f"{result['images']:,}"
    if not result["filters"][result["filter"]].get("judged", True):
        st.warning(t("data_room.not_judged", images=total), icon=":material/warning:")
    elif target is None:
        st.info(t("data_room.nothing", flagged=flagged, images=total), icon=":material/check_circle:")
    else:
        method = i18n.t(f"data_room.filter.{result['filter']}")
        said = t("data_room.found", name=name, method=method, flagged=flagged, images=total)
        st.warning(said, icon=":material/warning:")
    for one in result["warnings"]:
        st.caption(i18n.t(f"found.{one['code']}", **_named(one["facts"])))
    content = (folder / place.LIST).read_bytes()
    st.download_button(
        t("data_room.download"), content, place.LIST, "text/csv", key="data_room_csv", icon=":material/download:",
        help=t("data_room.download_help"),
    )  # fmt: skip


def _named(facts: dict[str, Any]) -> dict[str, Any]:
    """Facts with the filters called as the page calls them."""
    named = {
        key: ", ".join(i18n.t(f"data_room.filter.{name}") for name in facts[key].split(", "))
        for key in ("filter", "filters")
        if key in facts
    }
    return facts | named


def _filters(result: dict[str, Any]) -> None:
    def told(value: float | None) -> str:
        return t("data_room.unknown") if value is None else percent(value, 1)

    rows = [
        {
            t("data_room.filter"): i18n.t(f"data_room.filter.{name}"),
            t("data_room.flagged"): one["flagged"] if one.get("judged", True) else None,
            t("data_room.target"): "–" if one["target"] is None
            else i18n.class_name(result["set"], result["classes"][one["target"]]),
            t("data_room.recall"): told(one["recall"]),
            t("data_room.false_alarms"): told(one["false_alarms"]),
        }
        for name, one in result["filters"].items()
    ]  # fmt: skip
    st.dataframe(rows, hide_index=True)


def _histogram(result: dict[str, Any], listed: Listed) -> None:
    """The scores of the suspected class, or of all, by one filter, with the threshold."""
    from dashboard.data_room_figures import histogram

    names = list(result["filters"])
    shown = st.segmented_control(
        t("data_room.scores"), names, default=result["filter"], required=True, key="data_room_shown",
        format_func=lambda name: i18n.t(f"data_room.filter.{name}"),
    )  # fmt: skip
    one = result["filters"][shown or result["filter"]]
    members = np.isin(listed.labels, one["suspected"]) if one["suspected"] else np.ones(len(listed.labels), bool)
    figure = histogram(
        listed.scores[str(shown or result["filter"])][members], one["threshold"], t("data_room.score"),
        t("data_room.count"), t("data_room.threshold"),
    )  # fmt: skip
    st.plotly_chart(figure, key="data_room_histogram", config={"displayModeBar": False})
    st.caption(t("data_room.of_class") if one["suspected"] else t("data_room.of_all"))


def _suspicious(folder: Path, result: dict[str, Any]) -> None:
    sheet = folder / place.SUSPICIOUS
    if result["flagged"] and sheet.is_file():
        st.subheader(t("data_room.suspicious"), anchor=False)
        st.image(sheet.read_bytes(), alt=t("data_room.suspicious"))
        st.caption(t("data_room.suspicious_note", count=len(result.get("shown", []))))


def _ways(result: dict[str, Any]) -> None:
    """The ways on, beside the model that was trained on everything."""
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
    for fault in failed:
        refused(fault["code"], fault["message"], fault.get("facts") or {})
    st.caption(t("data_room.ways_note"))


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
