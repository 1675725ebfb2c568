"""Looking at the flagged images and putting some back: pictures, what comes of it, and the list to take away.

What a person says is kept in a file of its own in the visit's folder (``core.dataroom.review``). Of the visit that
ships, which nobody may write to, it is kept in the session.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from core.dataroom import NEED_TRUSTED, THEN, place, review
from core.dataroom.place import Listed, Order
from core.dataroom.review import Review
from dashboard import i18n
from dashboard.components import pictures
from dashboard.i18n import t
from dashboard.words import change, percent, reader

A_PAGE = 24
SESSION = "data_room_review"  # what is said of the visit that ships
GRID = "data_room_pictures"


@dataclass(frozen=True)
class Visit:
    """What one looks at: a visit's folder, its order, its result and its list. ``fixed``: it ships, and stays as it is.
    ``begin``: turns the page to another order."""

    folder: Path
    order: Order
    result: dict[str, Any]
    listed: Listed
    fixed: bool
    begin: Callable[[Order], None]

    @property
    def said(self) -> Review:
        if self.fixed:
            found: Review = st.session_state.get(SESSION) or Review()
            return found
        return review.load(self.folder, self.listed)

    def say(self, said: Review) -> None:
        if self.fixed:
            st.session_state[SESSION] = said
        else:
            review.save(self.folder, self.listed, said)

    def content(self, said: Review) -> bytes:
        """The list as it is taken away."""
        content = (self.folder / place.LIST).read_bytes()
        return review.with_words(content, said.words)


def show(visit: Visit) -> None:
    """The images that the filter flagged, and kept ones that are like them, to be put back or to be flagged."""
    st.fragment(_review)(visit)


def _review(visit: Visit) -> None:
    shown = [int(at) for at in visit.result.get("shown") or []]
    sheet = visit.folder / place.SUSPICIOUS
    if not shown or not sheet.is_file():  # of an older version
        _take(visit, visit.said)
        return
    st.subheader(t("data_room.review"), anchor=False)
    st.caption(t("data_room.review.lead"))
    st.caption(t("data_room.review.session" if visit.fixed else "data_room.review.kept_file"))
    said = visit.said  # read once: it is compared with the whole list
    _figures(visit, said)
    flagged, words = visit.listed.flagged, said.words
    kinds = {
        "flagged": [at for at in shown if flagged[at]],
        "kept": [at for at in shown if not flagged[at]],
        "changed": [at for at in shown if at in words],
    }
    names = {name: i18n.t(f"data_room.review.show.{name}") for name in kinds}
    kind = st.segmented_control(
        t("data_room.review.show"), list(kinds), default="flagged" if kinds["flagged"] else "kept", required=True,
        key="data_room_kind", label_visibility="collapsed",
        format_func=names.__getitem__,
    )  # fmt: skip
    _page(visit, said, shown, str(kind), kinds[str(kind)])
    _take(visit, said)
    if words:
        _go_on(visit, said)


def _figures(visit: Visit, said: Review) -> None:
    """How many are left out and kept, and how well that is where the truth is known; each beside the filter's own."""
    flagged = visit.listed.flagged
    out = review.left_out(flagged, said.words)
    truth = place.truth(visit.folder, len(out))
    before, after = review.rates(flagged, truth), review.rates(out, truth)
    with st.container(horizontal=True, key="review_figures", gap="large"):
        for name, was, now in (("out", flagged.sum(), out.sum()), ("in", (~flagged).sum(), (~out).sum())):
            moved = None if was == now else f"{now - was:+,}".replace("-", "−")
            _figure(i18n.t(f"data_room.review.{name}"), f"{now:,}", moved)
        for name, rate, now in zip(("recall", "false_alarms"), before, after, strict=True):
            if rate is not None and now is not None:
                _figure(i18n.t(f"data_room.{name}"), percent(now), None if rate == now else change(rate, now))


def _figure(name: str, value: str, moved: str | None) -> None:
    st.metric(name, value, moved, delta_color="off", delta_arrow="off", width="content")


def _page(visit: Visit, said: Review, shown: list[int], kind: str, chosen: list[int]) -> None:
    """A page of pictures, the most suspicious first, and what can be done with all of it at once."""
    if not chosen:
        st.caption(i18n.t(f"data_room.review.none.{kind}"))
        return
    pages = -(-len(chosen) // A_PAGE)
    spot = st.container()
    number = st.pagination(pages, key=f"data_room_page_{kind}_{pages}") if pages > 1 else 1
    now = chosen[(number - 1) * A_PAGE : number * A_PAGE]
    flagged, result = visit.listed.flagged, visit.result
    out = review.left_out(flagged, said.words)
    names = [i18n.class_name(visit.order.images, name) for name in result["classes"]]
    scores = visit.listed.scores[result["filter"]]
    tiles = [
        {"at": at, "name": names[visit.listed.labels[at]], "was": bool(flagged[at]),
         "note": t("data_room.review.score", score=f"{scores[at]:,.2f}")}
        for at in now
    ]  # fmt: skip
    sheet = visit.folder / place.SUSPICIOUS
    where = {at: k for k, at in enumerate(shown)}
    sprite = pictures.sprite_of(str(sheet), sheet.stat().st_mtime_ns, len(shown), tuple(where[at] for at in now))
    states = [i18n.t(f"data_room.review.state.{name}") for name in ("kept", "added", "put_back", "flagged")]
    with spot:
        first = (number - 1) * A_PAGE + 1
        told = [t("data_room.review.range", first=first, last=first + len(now) - 1, total=f"{len(chosen):,}")]
        bar = result["filters"][result["filter"]]["threshold"]
        told.append(t("data_room.review.bar", bar=f"{bar:,.2f}"))
        if kind == "flagged" and len(chosen) < flagged.sum():
            told.append(t("data_room.review.more", total=f"{flagged.sum():,}"))
        st.caption(reader().joined(told))
        pictures.grid(
            GRID, f"{kind}-{number}", sprite, tiles, [at for at in now if out[at]],
            {"label": t("data_room.review"), "states": states},
            lambda marked: _say(visit, {at: is_ for at, is_ in marked.items() if at in where}),
        )  # fmt: skip
    _at_once(visit, said, kind, now, out)


def _at_once(visit: Visit, said: Review, kind: str, now: list[int], out: np.ndarray) -> None:
    with st.container(horizontal=True, gap="small", key="review_acts"):
        if kind != "changed":
            wanted = not out[now].all() if kind == "kept" else not out[now].any()
            words = t("data_room.review.page_out") if wanted else t("data_room.review.page_back")
            st.button(words, key="review_page", on_click=_say, args=(visit, dict.fromkeys(now, wanted)))
        st.button(
            t("data_room.review.undo"), key="review_undo", icon=":material/undo:", disabled=not said.steps,
            on_click=lambda: visit.say(visit.said.undone()),
        )  # fmt: skip
        if said.words:
            flags = {at: bool(visit.listed.flagged[at]) for at in said.words}
            st.button(
                t("data_room.review.clear"), key="review_clear", type="tertiary", on_click=_say, args=(visit, flags)
            )


def _say(visit: Visit, out: dict[int, bool]) -> None:
    visit.say(visit.said.said(visit.listed.flagged, out))


def _take(visit: Visit, said: Review) -> None:
    help_ = reader().joined([t("data_room.download_help"), *([t("data_room.review.column")] if said.words else [])])
    st.download_button(
        t("data_room.download"), visit.content(said), place.LIST, "text/csv", key="data_room_csv",
        icon=":material/download:", help=help_,
    )  # fmt: skip


def _go_on(visit: Visit, said: Review) -> None:
    """What can be done with the reviewed list: here, or on the command line."""
    kept, added = review.counts(said.words)
    with st.container(border=True, key="review_go", gap="small"):
        st.markdown(t("data_room.review.changed", kept=f"{kept:,}", added=f"{added:,}"))
        with st.container(horizontal=True, vertical_alignment="bottom"):
            obeying = [name for name in THEN if name not in NEED_TRUSTED]  # no list has a say in the others
            ways = {"all": t("data_room.then.all")} | {name: i18n.t(f"data_room.then.{name}") for name in obeying}
            way = st.selectbox(
                t("data_room.then"), list(ways), format_func=ways.__getitem__, key="data_room_review_then", width=300
            )
            if st.button(t("data_room.review.go"), type="primary", key="review_start"):
                listed = str(place.keep_list(visit.content(said)))
                visit.begin(replace(visit.order, then=str(way), reviewed=listed))
        with st.expander(t("data_room.review.command"), icon=":material/terminal:"):
            order = replace(visit.order, then="retrain", reviewed=place.LIST)
            command = shlex.join(["python", "-m", "core", "data-room", *order.arguments, "--write", "folder"])
            st.code(command, language="bash", wrap_lines=True)
            st.caption(t("data_room.review.command_note"))
