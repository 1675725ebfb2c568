"""The data room: a training set that may be poisoned, what the filters say of it, and the list to take away."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from core.attacks import ATTACKS
from core.data import IMAGE_SETS
from core.dataroom import FILTERS, THEN, place
from core.dataroom.place import Listed, Order
from core.errors import BadInput
from core.intake import uploads
from core.words import clock
from dashboard import i18n, images
from dashboard.components import recorded
from dashboard.i18n import t
from dashboard.words import duration, images_name, percent, points, when

POLL_SECONDS = 1.0
RATES = (0.05, 0.1)
ALARMS = (0.01, 0.05, 0.1)
LAB_IMAGES = 3000  # images of a set in the lab: enough to see it work, in a minute or two
FIRST = "digits"  # where there is no recording to go by: the quickest to look through
ASKED = "data_room_order"
RECORDED = "data-room"  # the folder of the recording
LISTED = 200  # flagged images that the page lists; the CSV has them all


def page() -> None:
    """What to judge, and the result of the order given last in this visit; before that, the recorded visit."""
    st.title(t("data_room.title"), anchor=False)
    with st.container(key="lead"):
        st.markdown(t("data_room.lead"))
    order = _setup()
    if order is not None:
        try:
            place.start(order)
        except BadInput as fault:
            _refused(fault.code, fault.message, fault.facts)
            return
        st.session_state[ASKED] = asdict(order)
    kept = st.session_state.get(ASKED)
    if kept is None:
        _recorded()
        return
    asked = Order(**{**kept, "filters": tuple(kept["filters"])})
    waiting = not place.whole(asked) and _at_work(asked)
    st.fragment(_room, run_every=POLL_SECONDS if waiting else None)(asked, waiting)


def _at_work(order: Order) -> bool:
    job = place.job(order)
    return job is None or job.at_work


def _recorded() -> None:
    """The visit that ships."""
    recording = recorded.find(RECORDED)
    result = place.result_in(recording.folder) if recording else None
    order = place.order_in(recording.folder) if recording else None
    if recording is None or result is None or order is None:
        return
    attack = i18n.t(f"attack.{order.attack}")
    what = t(
        "data_room.recorded", images=f"{result['images']:,}", rate=percent(100 * order.rate, 0), attack=attack,
        name=i18n.class_name(order.images, result["classes"][order.target]),
    )  # fmt: skip
    recorded.banner(recording, what, t("data_room.recorded.own", start=t("data_room.start")))
    _show(recording.folder, order.images, result)


def _first() -> str:
    """The set that the form begins with: that of the recording below it."""
    recording = recorded.find(RECORDED)
    order = place.order_in(recording.folder) if recording else None
    return order.images if order and order.images in IMAGE_SETS else FIRST


def _setup() -> Order | None:
    """The set, in the lab its attack, the filters and the rate; the order once the button is pressed."""
    given = {
        f"upload:{one.id}": one
        for one in uploads.everything()
        if one.kind == "images" and (one.path.is_dir() or one.path.suffix == ".npz")
    }
    names = {name: images_name(name) for name in dict.fromkeys((_first(), *IMAGE_SETS)) if images.here(name)}
    names |= {key: f"{one.name} · {when(one.created)}" for key, one in given.items()}
    names["path"] = t("data_room.path")
    with st.container(horizontal=True, vertical_alignment="bottom", key="setup"):
        chosen = st.selectbox(
            t("data_room.set"), list(names), format_func=names.__getitem__, key="data_room_set", width=300,
            help=t("data_room.set_help"),
        )  # fmt: skip
        lab = chosen in IMAGE_SETS
        path = st.text_input(t("data_room.place"), key="data_room_path").strip() if chosen == "path" else ""
        attacks = {name: i18n.t(f"attack.{name}") for name in ATTACKS}
        attack = st.selectbox(
            t("data_room.attack"), list(attacks), format_func=attacks.__getitem__, key="data_room_attack", width=300,
            disabled=not lab, help=t("data_room.attack_help"),
        )  # fmt: skip
        rate = st.segmented_control(
            t("data_room.rate"), list(RATES), default=0.1, required=True, key="data_room_rate",
            format_func=lambda share: percent(100 * share, 0), disabled=not lab, help=t("data_room.rate_help"),
        )  # fmt: skip
        filters = {name: i18n.t(f"data_room.filter.{name}") for name in FILTERS}
        wanted = st.pills(
            t("data_room.filters"), list(filters), selection_mode="multi", default=list(Order.filters),
            format_func=filters.__getitem__, key="data_room_filters",
            help="\n".join(f"- **{filters[name]}**: {i18n.t(f'data_room.filter.{name}.text')}" for name in filters),
        )  # fmt: skip
        alarms = st.segmented_control(
            t("data_room.alarms"), list(ALARMS), default=0.05, required=True, key="data_room_alarms",
            format_func=lambda share: percent(100 * share, 0), help=t("data_room.alarms_help"),
        )  # fmt: skip
        ways = {"": t("data_room.then.none"), "all": t("data_room.then.all")}
        ways |= {name: i18n.t(f"data_room.then.{name}") for name in THEN}
        then = st.selectbox(
            t("data_room.then"), list(ways), format_func=ways.__getitem__, key="data_room_then", width=300,
            help=t("data_room.then_help"),
        )  # fmt: skip
        pressed = st.button(
            t("data_room.start"), type="primary", key="start", disabled=not wanted or (chosen == "path" and not path)
        )
    if not pressed or chosen is None:
        return None
    order = tuple(name for name in FILTERS if name in wanted)
    if not lab:
        place_of = path if chosen == "path" else str(given[chosen].path)
        return Order(place_of, filters=order, false_alarms=float(alarms or 0.05), then=str(then or ""))
    return Order(
        chosen, str(attack), float(rate or 0.1), 0, order, float(alarms or 0.05), LAB_IMAGES, then=str(then or "")
    )


def _room(order: Order, polling: bool) -> None:
    """How far it is, and what came of it; what was found is there before what comes of it."""
    if polling and (place.whole(order) or not _at_work(order)):
        st.rerun()
    result = place.result(order)
    if not place.whole(order):
        _going(order)
    if result is not None:
        _show(order.folder, order.images, result)


def _show(folder: Path, images_of: str, result: dict[str, Any]) -> None:
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


def _going(order: Order) -> None:
    job = place.job(order)
    if job is not None and job.ended:
        fault = job.failure
        _refused(str(fault.get("code")), str(fault.get("message", "")), fault.get("facts") or {})
        if st.button(t("act.retry"), key="data_room_retry", icon=":material/refresh:"):
            place.start(order)
            st.rerun()
        return
    stage = job.stage if job is not None and job.stage else "load"
    left = "" if job is None or job.left is None else " · " + t("phase.left", time=clock(job.left))
    done = min(1.0, job.done / job.total) if job is not None and job.total else 0.0
    st.progress(done, text=i18n.t(f"data_room.stage.{stage}") + left)


def _refused(code: str, message: str, facts: dict[str, Any]) -> None:
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
            change = None if fresh else points(first["asr"], one["asr"])
            asr = t("data_room.unknown") if one["asr"] is None else percent(one["asr"])
            st.metric(
                t("data_room.ways.asr"), asr, change, delta_color="off", delta_arrow="off", help=t("term.asr.text")
            )
            st.metric(
                t("outcome.ba"), percent(one["ba"]),
                None if name == "before" else points(first["ba"], one["ba"]), delta_color="off", delta_arrow="off",
                help=t("term.ba.text"),
            )  # fmt: skip
            if name != "before":
                st.caption(t("data_room.cost", time=duration(60 * one["minutes"]), lost=f"{one['lost']:,}"))
    for fault in failed:
        _refused(fault["code"], fault["message"], fault.get("facts") or {})
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
