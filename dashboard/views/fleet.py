"""Many models at once: ranked by risk, filtered and sorted, each with its trigger; a row leads to its run.

Without a fleet of the visitor's own, the page opens on the one that ships.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

from core.errors import BadInput
from core.fleet import begin, place
from core.fleet import page as sheet
from core.fleet import table as tables
from core.fleet.place import Standing
from core.fleet.rows import Row, counts
from core.recorded import Recording
from core.runs.record import Run
from core.words import Words, clock
from dashboard import data, fleet_data, i18n, palette
from dashboard.components import fleet_start, frame, recorded
from dashboard.i18n import t
from dashboard.words import percent, reader, when

FLEET = "fleet"  # in the address and in the session: the fleet's name
NEXT = "fleet_next"  # in the session: the fleet to turn to
RECORDED = "fleet"  # the folder of the recording
RECORDED_KEY = ".recording"  # its name in the address; no fleet's folder begins with a dot
PICTURE = 128  # pixels of a trigger
POLL_SECONDS = 3.0
A_PAGE = 50
TALLEST = 640  # pixels of the table
COMMAND = "python -m core fleet models/ --images photos/ --purify"


def page() -> None:
    """The fleet of the address, or the one that was at work last; without one, the recorded one."""
    st.title(t("fleet.title"), anchor=False)
    with st.container(key="lead"):
        st.markdown(t("fleet.lead"))
    folders = {folder.name: folder for folder in place.fleets()}
    recording = recorded.find(RECORDED)
    fleet_start.offer(opened=not folders and recording is None)
    if fleet_start.starting(folders):
        st.fragment(_until_there, run_every=POLL_SECONDS)(tuple(folders))
        return
    names = [*folders, *([RECORDED_KEY] if recording else [])]
    if not names:
        with st.container(border=True):
            st.subheader(t("fleet.empty"), anchor=False)
            st.markdown(t("fleet.empty_text"))
            st.code(COMMAND, language=None, wrap_lines=True)
        return
    wanted = st.session_state.pop(NEXT, None) or st.session_state.get(FLEET) or st.query_params.get(FLEET)
    if wanted and wanted not in names:
        st.info(t("fleet.gone", name=i18n.unmarked(wanted)), icon=":material/search_off:")
    st.session_state[FLEET] = wanted if wanted in names else names[0]
    if folders:
        st.selectbox(t("fleet.choose"), names, key=FLEET, width=420, format_func=_name)
    name = st.session_state[FLEET]
    st.query_params[FLEET] = name
    if recording is not None and name == RECORDED_KEY:
        _recorded(recording)
        return
    going = fleet_data.going(folders[name])
    st.fragment(_fleet, run_every=POLL_SECONDS if going else None)(str(folders[name]), going)


def _name(name: str) -> str:
    return t("status.recording") if name == RECORDED_KEY else name


def _until_there(before: tuple[str, ...]) -> None:
    """Draws nothing; turns to the fleet that was begun once it has a folder, or to why it has none."""
    name = st.session_state.get(fleet_start.STARTED, "")
    job = begin.job(place.fleets_folder() / name)
    if place.find(name) or job is None or not job.at_work:
        st.rerun()


def _recorded(recording: Recording) -> None:
    """The fleet that ships: what it is of, and the same as of any other."""
    standing = fleet_data.recorded(recording.folder)
    if standing is None:
        return
    hit, of, wrong, clean = fleet_data.truth(standing.models, recording.facts["backdoored"])
    what = t("fleet.recorded", total=len(standing.models), hit=hit, of=of, wrong=wrong, clean=clean)
    if overlooked := fleet_data.missed(standing.models, recording.facts["backdoored"]):
        names = ", ".join(i18n.unmarked(file.removesuffix(".safetensors")) for file in overlooked)
        what = Words(i18n.language()).joined([what, t("fleet.recorded.missed", names=names)])
    recorded.banner(recording, what, t("fleet.recorded.own", start=t("fleet.start")))
    _show(standing, recording.folder, True)


def _fleet(where: str, polling: bool) -> None:
    folder = Path(where)
    standing = fleet_data.standing(folder)
    if standing is None:
        st.info(t("fleet.unread"), icon=":material/hourglass_top:")
        return
    if polling != fleet_data.going(folder):  # it has just ended, or been taken up
        st.rerun()
    _show(standing, folder, False)


def _show(standing: Standing, folder: Path, recording: bool) -> None:
    words = reader()
    _head(standing, folder, words, recording)
    rows = _chosen(standing, words)
    if rows:
        _table(rows, folder, words, recording)


def _head(standing: Standing, folder: Path, words: Words, recording: bool) -> None:
    """How it stands, what it comes to, and the same to take away."""
    found = counts(standing.models)
    state = "running" if standing.going else "done" if standing.stage == "done" else "stopped"
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if not recording:
            st.badge(i18n.t(f"status.{state}"), color="gray")
            st.caption(when(standing.created), width="content")
            fleet_start.steer(folder, standing)
        st.space("stretch")
        _take_away(standing, folder, words)
    if standing.going:
        left = "" if standing.seconds_left is None else " · " + t("phase.left", time=clock(standing.seconds_left))
        doing = i18n.t(f"fleet.doing.{standing.stage}", done=standing.done, total=standing.total)
        st.progress(standing.done / max(1, standing.total), text=doing + left)
    elif state == "stopped":
        st.caption(t("fleet.stopped"))
    with st.container(key="headline"):
        st.subheader(sheet.headline(standing.models, words), anchor=False)
    st.markdown(words.joined(sheet.outlook(standing.models, words)))
    with st.container(horizontal=True, gap="medium"):
        for name in ("total", "strong", "some", "none", "error"):
            st.metric(i18n.t(f"fleet.count.{name}"), words.count(found[name]), width="content")


def _take_away(standing: Standing, folder: Path, words: Words) -> None:
    def html() -> bytes:
        return sheet.build(standing, folder, words, _error).encode()

    def csv() -> bytes:
        return tables.csv(standing.models)

    for name, content, mime, ending in (
        ("summary", html, "text/html", "html"),
        ("table", csv, "text/csv", "csv"),
    ):
        st.download_button(
            i18n.t(f"fleet.take.{name}"), data=content, file_name=f"{folder.name}.{ending}", mime=mime,
            key=f"take-{name}", icon=":material/download:", type="tertiary", on_click="ignore",
        )  # fmt: skip


def _chosen(standing: Standing, words: Words) -> list[tuple[int, Row]]:
    """Filters, order and pages; the rows of the page that is shown."""
    rows = standing.models
    there = [name for name, fits in fleet_data.GROUPS.items() if any(fits(row) for row in rows)]
    names = {name: i18n.t(f"fleet.group.{name}") for name in there}
    orders = {name: i18n.t(f"fleet.order.{name}") for name in fleet_data.ORDERS}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        groups = st.pills(
            t("fleet.filter"), there, selection_mode="multi", key="fleet_groups", width="content",
            format_func=names.__getitem__,
        )  # fmt: skip
        text = st.text_input(t("fleet.search"), key="fleet_search", width=260)
        order = st.selectbox(
            t("fleet.order"), list(orders), key="fleet_order", width=240, format_func=orders.__getitem__,
        )  # fmt: skip
    found = fleet_data.shown(rows, groups or (), text, order)
    st.caption(t("fleet.shown", shown=words.count(len(found)), total=words.count(len(rows))))
    pages = -(-len(found) // A_PAGE)
    number = st.pagination(pages, key=f"fleet_page_{pages}") if pages > 1 else 1
    return found[(number - 1) * A_PAGE : number * A_PAGE]


def _table(rows: list[tuple[int, Row]], folder: Path, words: Words, recording: bool) -> None:
    """The table, and below it one of its models: the row that was clicked, or the one that was chosen by name."""

    def clicked() -> None:
        if found := st.session_state["fleet_table"]["selection"]["rows"]:
            st.session_state["fleet_row"] = rows[found[0]][1].file

    told = fleet_data.table(rows, folder, words)
    config = {name: _column(name, width) for name, width in fleet_data.widths(list(told.columns)).items()}
    st.dataframe(
        told, key="fleet_table", hide_index=True, column_config=config, row_height=44,
        height=min(TALLEST, 44 * len(rows) + 42), on_select=clicked, selection_mode="single-row",
    )  # fmt: skip
    by_file = {row.file: row for _, row in rows}
    if st.session_state.get("fleet_row") not in by_file:
        st.session_state["fleet_row"] = next(iter(by_file))
    chosen = st.selectbox(t("fleet.model"), list(by_file), key="fleet_row", width=520)
    _model(by_file[chosen], folder, words, recording)


def _column(name: str, width: int) -> Any:
    label = whole = i18n.t(f"fleet.column.{name}")
    if name in fleet_data.SHORT:
        label = i18n.t(f"fleet.table.{name}")
    if name == "picture":
        return st.column_config.ImageColumn(label, width=width)
    if name == "risk":
        return st.column_config.ProgressColumn(
            label, width=width, help=whole, min_value=0, max_value=100, format="%.0f", color=palette.NEUTRAL
        )
    kind = st.column_config.NumberColumn if name in ("rank", "exposure") else st.column_config.TextColumn
    return kind(label, width=width, help=whole if label != whole else None)


def _model(row: Row, folder: Path, words: Words, recording: bool) -> None:
    """One model: what was found, in sentences, and the way to its runs."""
    with st.container(border=True):
        st.markdown(f"**{i18n.unmarked(row.file)}**")
        if about := " · ".join(filter(None, (row.owner, row.use, sheet.exposure(row, words)))):
            st.caption(i18n.unmarked(about))
        if shown := sheet.picture(folder, row):
            st.image(shown, width=PICTURE, caption=t("fleet.picture"), alt=t("fleet.picture"))
        if row.error:
            st.error(_error(row, markdown=True), icon=":material/error:")
        elif row.verdict:
            said = [i18n.t(f"verdict.{row.verdict}")]
            if row.signs:
                said.append(
                    t("fleet.found", target=i18n.unmarked(sheet.target(row, words)), asr=percent(row.asr_before))
                )
            st.markdown(words.joined(said))
        if row.cure:
            st.markdown(t("fleet.cured", cure=i18n.t(f"cure.short.{row.cure}"), ba=percent(row.ba_after),
                          asr=percent(row.asr_after)))  # fmt: skip
        if row.cure_error:
            st.warning(i18n.unmarked(row.cure_error), icon=":material/error:")
        st.caption(t("fleet.next", step=sheet.next_step(row, words)))
        if recording:
            _open_recording(row)
            return
        with st.container(horizontal=True):
            for name, run in (("scan", row.run), ("cure", row.cure_run)):
                if run and st.button(i18n.t(f"fleet.open.{name}"), key=f"open-{name}"):
                    _open(folder, run)


def _open_recording(row: Row) -> None:
    """The way to the recorded purification of a shipped victim."""
    run = data.recording_of(row.file.removesuffix(".safetensors"))
    if run is not None and st.button(t("fleet.open.recording"), key="open-recording"):
        st.switch_page(frame.PAGES["purify"], query_params={"run": run.id})


def _error(row: Row, markdown: bool = False) -> str:
    """Why a model could not be looked at, in the reader's language."""
    return i18n.error(str(row.code), str(row.error), dict(row.facts), markdown)


def _open(folder: Path, name: str) -> None:
    """Turns to a run of the fleet, which is listed among the runs from then on."""
    try:
        run = place.listed(Run(place.runs_of(folder) / name))
    except (BadInput, OSError) as fault:
        st.error(_told(fault), icon=":material/error:")
        return
    st.switch_page(frame.PAGES["examine"], query_params={"run": run.id})


def _told(fault: BadInput | OSError) -> str:
    if isinstance(fault, BadInput):
        return i18n.error(fault.code, fault.message, fault.facts)
    return t("fleet.not_opened", reason=i18n.unmarked(fault.strerror))
