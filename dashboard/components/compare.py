"""What came of a comparison: the plane, the table, the curves and the maps side by side."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np
import streamlit as st

from core.errors import BadInput
from core.events import Measured
from core.report.advice import ASR_LIMIT, BA_LIMIT
from core.report.spread import Spread
from core.runs.record import Run
from dashboard import i18n
from dashboard.compare_data import Entry, Method, methods, seeds
from dashboard.compare_table import csv_of
from dashboard.components import compare_figures as figures
from dashboard.components import hints
from dashboard.components.compare_rows import table
from dashboard.i18n import t
from dashboard.words import defence_name, percent, reader, triggered_images


def before_of(entries: Sequence[Entry]) -> Measured | None:
    """The model as it came, as the first run that measured it says."""
    return next((entry.digest.before for entry in entries if entry.digest.before), None)


def results(entries: Sequence[Entry], attack: str | None) -> None:
    """All that is known so far; nothing before the first run has measured the model.

    Args:
        entries: the runs of the comparison, in the order in which they are shown.
        attack: the planted attack, for the words on triggered images.
    """
    before = before_of(entries)
    if before is None:
        return
    if words := verdict(entries, before):
        with st.container(key="compare_verdict"):
            st.markdown(words)
    left, right = st.columns([6, 5], gap="large")
    with left:
        st.subheader(t("compare.table"), anchor=False)
        st.html(table(entries, before))
        _notes(entries, before)
    with right:
        st.subheader(t("compare.plane"), anchor=False)
        _plane(entries, before)
    _maps(entries, attack)
    _curves(entries)


def verdict(entries: Sequence[Entry], before: Measured) -> str:
    """One sentence on which methods removed the attack and kept the accuracy, with every seed; "" before two are
    through."""
    ended = [line for line in methods(entries) if line.asr and line.ba]
    if len(ended) < 2:
        return ""
    good = [
        _name(line) for line in ended
        if line.asr and line.asr.high < ASR_LIMIT and line.ba and line.ba.low >= before.ba - BA_LIMIT
    ]  # fmt: skip
    gone, held = percent(ASR_LIMIT, 0), f"{BA_LIMIT:.0f}"
    if good:
        told = t("compare.verdict", good=len(good), count=len(ended), gone=gone, held=held, names=_names(good))
    else:
        told = t("compare.verdict_none", count=len(ended), gone=gone, held=held)
    many = len(seeds(entries))
    every = t("compare.every_seed", count=many) if many > 1 else ""
    return reader().joined([sentence for sentence in (told, every, _cured(entries)) if sentence])


def _name(line: Method) -> str:
    return i18n.unmarked(defence_name(line.defence))


def _cured(entries: Sequence[Entry]) -> str:
    """With which methods the cure holds, with every seed; "" where no run has a grade."""
    grades = {
        _name(line): {entry.digest.proof.cure if entry.digest.proof else None for entry in line.entries}
        for line in methods(entries)
        if any(entry.digest.graded for entry in line.entries)
    }
    cured = [name for name, found in grades.items() if found == {"holds"}]
    if not grades:
        return ""
    return t("compare.cured", names=_names(cured)) if cured else t("compare.cured_none")


def _names(names: Sequence[str]) -> str:
    return t("compare.comma").join(f"**{name}**" for name in names)


def _notes(entries: Sequence[Entry], before: Measured) -> None:
    notes = [
        t("outcome.note", clean=f"{before.clean_images:,}", triggered=f"{before.triggered_images:,}"),
        i18n.t(f"outcome.{before.asr_kind}_note"),
        t("compare.note_time"),
    ]
    many = len(seeds(entries))
    if many > 1:
        notes.append(t("compare.note_range"))
    st.caption(reader().joined(notes))
    st.caption(t("compare.note_seeds", count=many) if many > 1 else t("compare.note_one"))
    st.download_button(
        t("compare.csv"), data=lambda: csv_of(entries), file_name=f"comparison-{entries[0].run.spec.victim}.csv",
        mime="text/csv", icon=":material/table_view:", type="tertiary", on_click="ignore", key="compare_csv",
        help=t("compare.csv_help"),
    )  # fmt: skip


def _plane(entries: Sequence[Entry], before: Measured) -> None:
    places = [
        figures.Place(
            line.defence, escape(defence_name(line.defence, short=True)), ba.mean, asr.mean, _range(ba), _range(asr)
        )
        for line in methods(entries)
        if (ba := line.ba) and (asr := line.asr)
    ]
    words = {
        "asr": t("compare.asr_axis"), "ba": t("compare.ba_axis"), "before": t("compare.before"),
        "percent": t("unit.percent", value=""),
    }  # fmt: skip
    figure = figures.plane_figure((before.ba, before.asr), places, words)
    st.plotly_chart(figure, key="compare_plane", config={"displayModeBar": False})
    notes = [t("compare.plane_note"), *([t("compare.plane_bars")] if any(p.ba_ends for p in places) else [])]
    st.caption(reader().joined(notes))
    hints.draw("compare")


def _range(found: Spread) -> tuple[float, float] | None:
    return (found.low, found.high) if found.runs > 1 else None


def _curves(entries: Sequence[Entry]) -> None:
    lines = [
        figures.Line(entry.defence, escape(defence_name(entry.defence, short=True)), entry.curve)
        for entry in entries
        if entry.curve
    ]
    if not lines:
        return
    st.subheader(t("compare.curves"), anchor=False)
    words = {
        "asr": t("compare.asr_axis"),
        "ba": t("compare.ba_axis"),
        "dissolved": t("compare.dissolved"),
        "seconds": t("compare.seconds"),
        "percent": t("unit.percent", value=""),
    }
    st.plotly_chart(figures.curves_figure(lines, words), key="compare_curves", config={"displayModeBar": False})
    st.caption(t("compare.curves_note"))


def _maps(entries: Sequence[Entry], attack: str | None) -> None:
    """The model as it came, and how each method left it: the same images, all on one scale."""
    shown_seed = seeds(entries)[:1]
    mapped = [
        (entry, entry.run.frame_count)
        for entry in entries
        if entry.run.samples is not None and [entry.seed] == shown_seed
    ]
    mapped = [(entry, count) for entry, count in mapped if count]
    if not mapped:
        return
    st.subheader(t("compare.maps"), anchor=False)
    notes = [t("compare.maps_note", triggered=triggered_images(attack))]
    if len(seeds(entries)) > 1:
        notes.append(t("compare.maps_seed", seed=shown_seed[0]))
    st.caption(reader().joined(notes))
    shown = [(t("compare.before"), mapped[0][0].run, 0)]
    shown += [(defence_name(entry.defence), entry.run, count - 1) for entry, count in mapped]
    uris = pictures(tuple((str(run.folder), index) for _, run, index in shown))
    figures_ = "".join(
        f'<figure><img src="{uri}" alt="{escape(t("compare.map_of", name=name))}">'
        f"<figcaption>{escape(name)}</figcaption></figure>"
        for (name, _, _), uri in zip(shown, uris, strict=True)
    )
    st.html(f'<div class="dz-maps">{figures_}</div>')


@st.cache_data(max_entries=60, show_spinner=False)
def pictures(shown: tuple[tuple[str, int], ...]) -> list[str]:
    """The maps of these frames (a run's folder, a frame's number) as data URIs, on one scale."""
    runs = [Run(folder) for folder, _ in shown]
    seen: list[tuple[np.ndarray, np.ndarray]] = []
    for run, (_, index) in zip(runs, shown, strict=True):
        try:
            frame = run.frame(index)
            seen.append((frame.coords, frame.answers))
        except (BadInput, OSError):  # being written, or gone
            seen.append((np.zeros((0, 2)), np.zeros(0, int)))
    box = figures.box_of([coords for coords, _ in seen])
    uris = []
    for run, (coords, answers) in zip(runs, seen, strict=True):
        samples, data = run.samples, run.data
        assert samples is not None
        target = data.get("true_target", data.get("target"))
        misled = answers == (-1 if target is None else target)
        labels, triggered = samples.label[: len(coords)], samples.triggered[: len(coords)]
        uris.append(figures.as_uri(figures.small_map(coords, labels, triggered, misled, box)))
    return uris
