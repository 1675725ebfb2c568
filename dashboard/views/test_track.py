"""The test track: does a purified model lose more than the original anywhere, and where does the trigger still work?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core import paths
from core.errors import BadInput
from core.explore.place import Job
from core.report.proof import STATES
from core.report.repeated import further_classes
from core.runs.record import Run
from core.stress import place, verdict
from core.stress.paired import beyond_chance
from core.stress.settings import NAMES
from dashboard import data, i18n, images
from dashboard.components import fetch, frame, trigger_class
from dashboard.i18n import t
from dashboard.words import change, duration, percent, run_title, when

POLL_SECONDS = 1.0
CHOICE = "stress_run"
WHENS = ("before", "after")


def page() -> None:
    """The run of the address, else the one last looked at, else the newest that keeps a purified model."""
    head = st.container(horizontal=True, vertical_alignment="bottom", key="head")
    head.title(t("stress.title"), width="content", anchor=False)
    there = {run.id: run for run in data.runs() if _has_pair(run)}
    if not there:
        with st.container(border=True, horizontal_alignment="left"):
            st.subheader(t("stress.none"), anchor=False)
            st.markdown(t("stress.none_text"))
            if st.button(t("setup.first"), type="primary", key="stress_first"):
                st.switch_page(frame.PAGES["purify"])
        return
    run = there[_choose(there, head)]
    st.session_state["run"] = run.id
    if st.query_params.get("run") != run.id:
        st.query_params["run"] = run.id
    _setup(run)
    waiting = _at_work(run)
    st.fragment(_result, run_every=POLL_SECONDS if waiting else None)(run.id, waiting)


def _has_pair(run: Run) -> bool:
    try:
        place.require_pair(run)
    except BadInput:
        return False
    return True


def _choose(there: dict[str, Run], head: DeltaGenerator) -> str:
    wanted = st.query_params.get("run") or st.session_state.get("run")
    if wanted and wanted not in there and CHOICE not in st.session_state:
        known = data.find(wanted)
        name = run_title(known) if known else wanted
        st.info(t("stress.no_model", run=i18n.unmarked(name)), icon=":material/search_off:")
    first = wanted if wanted in there else next(iter(there))
    names = {run_id: _name(run) for run_id, run in there.items()}
    with st.container(key="lead"):
        st.markdown(t("stress.lead", count=len(NAMES)))
    head.space("stretch")
    return head.selectbox(
        t("stress.run"), list(names), index=list(names).index(first), format_func=names.__getitem__, key=CHOICE,
        label_visibility="collapsed", width=480,
    )  # fmt: skip


def _name(run: Run) -> str:
    moment = t("status.recording") if run.is_recording else when(run.data.get("created", ""))
    return f"{run_title(run)} · {moment}"


def _at_work(run: Run) -> bool:
    job = place.job(run)
    return job is not None and job.at_work


# ---- what to measure


def _setup(run: Run) -> None:
    """How much, which second folder, and one button."""
    if not images.here(run.spec.images):
        fetch.offer(data.data_name(run))
        return
    if run.spec.model_class:
        st.info(t("stress.own_class", run=run.id), icon=":material/terminal:")
        return
    busy = _at_work(run)
    with st.container(horizontal=True, vertical_alignment="bottom", key="setup"):
        kinds = {"quick": t("stress.quick"), "whole": t("stress.whole")}
        kind = st.segmented_control(
            t("stress.how"), list(kinds), default="quick", required=True, format_func=kinds.__getitem__,
            key="stress_how", help=t("stress.how_help"), persist_state="session",
        )  # fmt: skip
        other = st.text_input(
            t("stress.folder"), key="stress_folder", help=t("stress.folder_help"), placeholder=t("stress.folder_none"),
            width=360,
        ).strip()  # fmt: skip
        pressed = st.button(t("stress.start"), type="primary", key="stress_start", disabled=busy)
    if not pressed:
        return
    words = ["--quick"] if kind == "quick" else []
    if other:
        words += ["--images", str(paths.expanded(other).absolute())]
    try:
        place.start(run, *words)
    except BadInput as fault:
        st.error(i18n.error(fault.code, fault.message, fault.facts), icon=":material/error:")
        return
    st.rerun()


# ---- what came of it


def _result(run_id: str, waiting: bool) -> None:
    run = data.find(run_id)
    if run is None or _at_work(run) != waiting:
        st.rerun()
        return
    job = place.job(run)
    if job is not None:
        _progress(job)
    going, whole = place.partial(run), place.result(run)
    found = going if waiting and going else whole or going
    if found is None:
        st.info(t("stress.nothing"), icon=":material/route:")
        return
    _facts(found)
    if class_of_trigger := trigger_class.told(run):
        st.caption(class_of_trigger)
    if "sentence" in found:
        st.markdown(f"**{i18n.unmarked(verdict.sentence(found, len(found['cells']), i18n.language()))}**")
        if found.get("mean_asr_before") is not None:
            rates = percent(found["mean_asr_before"]), percent(found["mean_asr_after"])
            st.markdown(t("stress.attacked", before=rates[0], after=rates[1]))
    elif not waiting:
        st.warning(t("stress.halted"), icon=":material/pause_circle:")
    _conditions(found)
    if found.get("classes"):
        _classes(run, found)
    if found.get("confidence"):
        _weaknesses(found)
    if "sentence" in found:
        _dirty(run)


def _progress(job: Job) -> None:
    """How far the measuring is; why it failed, in the reader's language and without a path of this machine."""
    if job.at_work:
        left = t("explore.left", time=duration(job.left)) if job.left is not None else t("explore.starting")
        st.progress(min(1.0, job.done / job.total) if job.total else 0.0, text=f"{t('stress.driving')} · {left}")
    elif job.failure:
        code, facts = str(job.failure.get("code")), job.failure.get("facts") or {}
        short = {name: Path(fact).name if isinstance(fact, str) else fact for name, fact in facts.items()}
        st.error(i18n.error(code, t("error.job_failed", error=code), short), icon=":material/error:")


def _facts(found: dict[str, Any]) -> None:
    """On which images it was measured, and what comes of them without a corruption."""
    clean, settings = found.get("clean") or {}, found.get("settings") or {}
    before, after = percent(clean.get("ba_before")), percent(clean.get("ba_after"))
    count = f"{clean.get('images', 0):,}"
    st.caption(t("stress.facts", count=count, seed=settings.get("seed", 0), before=before, after=after))


def _conditions(found: dict[str, Any]) -> None:
    from dashboard import stress_figures

    kind = found.get("asr_kind")
    st.subheader(t("stress.conditions"), anchor=False)
    words = {
        "change": t("stress.change"), "asr_before": t("stress.asr_before"), "asr_after": t("stress.asr_after"),
        "strength": t("stress.strength"), "ba": t("outcome.ba"), "before": t("outcome.before"),
        "after": t("outcome.after"), "percent": t("unit.percent", value=""),
    }  # fmt: skip
    names = {name: i18n.t(f"corruption.{name}") for name in NAMES}
    strengths = (found.get("settings") or {}).get("strengths") or [1, 2, 3, 4, 5]
    with st.container(key="heat"):
        cells = found["cells"]
        stands = beyond_chance([cell["chance"] for cell in cells])
        marked = {(cell["corruption"], cell["strength"]) for cell, out in zip(cells, stands, strict=True) if out}
        attacked = any(cell["asr_before"] is not None for cell in cells)
        parts = ("change", "asr_before", "asr_after") if attacked else ("change",)
        for place_, part in zip(st.columns(len(parts)), parts, strict=True):  # one below the other on a phone
            figure = stress_figures.heat_figure(part, cells, strengths, names, words, marked)
            place_.plotly_chart(figure, key=f"stress_{part}", config={"displayModeBar": False})
    trigger = {"true": t("stress.trigger_true"), "estimated": t("stress.trigger_estimated")}.get(str(kind))
    st.caption(
        f"{t('stress.marked')} {trigger or t('stress.trigger_none')}" if marked else trigger or t("stress.trigger_none")
    )
    if "mean_loss" in found:
        ece = [sum(cell[f"ece_{when}"] for cell in found["cells"]) / len(found["cells"]) for when in WHENS]
        st.caption(t("stress.ece", before=f"{ece[0]:.1f}", after=f"{ece[1]:.1f}"))
    if other := found.get("shifted"):
        st.markdown(
            t("stress.shifted", count=other["images"], before=percent(other["ba_before"]),
              after=percent(other["ba_after"]), asr_before=percent(other["asr_before"]),
              asr_after=percent(other["asr_after"]))
        )  # fmt: skip


def _classes(run: Run, found: dict[str, Any]) -> None:
    from dashboard import stress_figures

    st.subheader(t("stress.classes"), anchor=False)
    further, of = further_classes(run.snapshot().result), data.data_name(run)
    rows = [row | {"target": row["target"] or row["class"] in further} for row in found["classes"]]
    names = [i18n.class_name(of, row["name"]) for row in rows]
    words = {
        "before": t("outcome.before"), "after": t("outcome.after"), "ba": t("outcome.ba"), "target": t("stress.target"),
        "percent": t("unit.percent", value=""),
    }  # fmt: skip
    figure = stress_figures.classes_figure(rows, names, words)
    st.plotly_chart(figure, key="stress_classes", config={"displayModeBar": False})
    worst, aimed = found.get("worst_class"), found.get("target_class")
    if worst and aimed and worst["name"] == aimed["name"] and aimed["beyond_chance"] and not worst["beyond_chance"]:
        facts = _class_facts(of, aimed)
        st.caption(t("stress.class_target", name=facts[0], change=facts[1], count=facts[2]))
        return
    if worst:
        facts = _class_facts(of, worst)
        if worst["beyond_chance"]:
            st.caption(t("stress.class_worse", name=facts[0], change=facts[1], count=facts[2]))
        else:
            st.caption(t("stress.class_alike", name=facts[0], change=facts[1], count=facts[2]))
    if aimed:
        facts = _class_facts(of, aimed)
        if aimed["beyond_chance"]:
            st.caption(t("stress.target_worse", name=facts[0], change=facts[1], count=facts[2]))
        else:
            st.caption(t("stress.target_alike", name=facts[0], change=facts[1], count=facts[2]))


def _class_facts(of: str, row: dict[str, Any]) -> tuple[str, str, str]:
    """A class's name, how its accuracy changed, and on how many images."""
    return i18n.unmarked(i18n.class_name(of, row["name"])), change(row["before"], row["after"]), f"{row['images']:,}"


def _weaknesses(found: dict[str, Any]) -> None:
    """Robustness to an adversary, and confidence: the purified model's, and how it moved."""
    st.subheader(t("stress.weaknesses"), anchor=False)
    sure = found["confidence"]
    tiles = [(t("stress.pgd", epsilon=row["epsilon"]), row["before"], row["after"]) for row in found["robustness"]]
    tiles += [(t("stress.confidence"), sure["before"], sure["after"])]
    tiles += [(t("stress.confidence_wrong"), sure["wrong_before"], sure["wrong_after"])]
    with st.container(horizontal=True):
        for name, before, after in tiles:
            moved = None if before is None or after is None else change(before, after)
            st.metric(name, percent(after), moved, delta_color="off", delta_arrow="off", border=True)
    st.caption(t("stress.weaknesses_note", count=found["robustness"][0]["images"]))


def _dirty(run: Run) -> None:
    """How far the cure holds with unclean images among the clean ones, or how to find out."""
    st.subheader(t("stress.dirty"), anchor=False)
    rows = place.contaminations(run)
    if not rows:
        st.caption(t("stress.dirty_none", run=run.id) if run.spec.victim else t("error.dirty_needs_lab", run=run.id))
        return
    head = t("stress.dirty_head")
    lines = [f"| {head} |", "|" + "---|" * (head.count("|") + 1)]
    for row in rows:
        share = percent(row["share"], 0 if row["share"] >= 1 else 1)
        labels = row["kind"] == "labels"
        name = t("stress.dirty_labels", share=share) if labels else t("stress.dirty_triggered", share=share)
        figures = [percent(row[f"{what}_{when}"]) for what in ("ba", "asr") for when in WHENS]
        cure = i18n.t(f"cure.short.{row['cure']}") if row["cure"] in STATES else "–"
        lines.append(f"| {' | '.join([name, *figures, cure])} |")
    st.markdown("\n".join(lines))
    st.caption(t("stress.dirty_note"))
