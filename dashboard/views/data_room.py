"""The data room: a training set that may be poisoned, what the filters say of it, and the list to take away."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from core.attacks import IN_SETS
from core.data import IMAGE_SETS
from core.dataroom import FILTERS, NEED_TRUSTED, THEN, place
from core.dataroom.place import Order
from core.errors import BadInput
from core.intake import uploads
from core.words import clock
from dashboard import i18n, images
from dashboard.components import recorded
from dashboard.components.judged_set import refused, show
from dashboard.i18n import t
from dashboard.words import images_name, percent, when

POLL_SECONDS = 1.0
RATES = (0.05, 0.1)
ALARMS = (0.01, 0.05, 0.1)
LAB_IMAGES = 3000  # images of a set in the lab: enough to see it work, in a minute or two
FIRST = "digits"  # where there is no recording to go by: the quickest to look through
VISIT = "visit"  # in the address and in the session: the key of what was asked for last
RECORDED = "data-room"  # the folder of the recording


def page() -> None:
    """What to judge, and the result of the order given last in this visit; before that, the recorded visit."""
    st.title(t("data_room.title"), anchor=False)
    with st.container(key="lead"):
        st.markdown(t("data_room.lead"))
    order = _setup()
    if order is not None:
        _begin(order)
    asked = place.order_of(st.query_params.get(VISIT) or st.session_state.get(VISIT) or "")
    if asked is None:
        _recorded()
        return
    st.session_state[VISIT] = st.query_params[VISIT] = asked.key
    waiting = not place.whole(asked) and _at_work(asked)
    st.fragment(_room, run_every=POLL_SECONDS if waiting else None)(asked, waiting)


def _begin(order: Order) -> None:
    """Sets an order to work and turns to it: by the address, so that a reload finds it, and what was said of it."""
    try:
        place.start(order)
    except BadInput as fault:
        refused(fault.code, fault.message, fault.facts)
        return
    st.query_params[VISIT] = order.key
    st.rerun()


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
    show(recording.folder, order, result, _begin, fixed=True)


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
        attacks = {name: i18n.t(f"attack.{name}") for name in IN_SETS}
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
        ways |= {name: i18n.t(f"data_room.then.{name}") for name in THEN if lab or name not in NEED_TRUSTED}
        then = st.selectbox(
            t("data_room.then"), list(ways), format_func=ways.__getitem__, key="data_room_then", width=300,
            help=t("data_room.then_help"),
        )  # fmt: skip
        pressed = st.button(
            t("data_room.start"), type="primary", key="start", disabled=not wanted or (chosen == "path" and not path)
        )
    if then in ("split", "all") and lab:
        st.caption(t("data_room.split_limit"))
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
        st.caption(_of(order))
        show(order.folder, order, result, _begin)


def _of(order: Order) -> str:
    """Which set the result is of: the form above may show another."""
    upload = uploads.find(uploads.holding(order.images))
    named = images_name(order.images) if order.images in IMAGE_SETS else Path(order.images).name
    name = i18n.unmarked(upload.name if upload else named)
    if not order.attack:
        return t("data_room.of", name=name)
    attack, rate = i18n.t(f"attack.{order.attack}"), percent(100 * order.rate, 0)
    return t("data_room.of_lab", name=name, attack=attack, rate=rate)


def _going(order: Order) -> None:
    job = place.job(order)
    if job is not None and job.ended:
        fault = job.failure
        refused(str(fault.get("code")), str(fault.get("message", "")), fault.get("facts") or {})
        if st.button(t("act.retry"), key="data_room_retry", icon=":material/refresh:"):
            place.start(order)
            st.rerun()
        return
    stage = job.stage if job is not None and job.stage else "load"
    left = "" if job is None or job.left is None else " · " + t("phase.left", time=clock(job.left))
    done = min(1.0, job.done / job.total) if job is not None and job.total else 0.0
    st.progress(done, text=i18n.t(f"data_room.stage.{stage}") + left)
