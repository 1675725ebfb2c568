"""The account on the page: what the purification took, what training anew would, what risk is left; for the meeting."""

from __future__ import annotations

from html import escape
from typing import Any

import streamlit as st

from core import report
from core.errors import BadInput
from core.files import require_room
from core.jobs import note
from core.jobs.spawn import python_module
from core.report import account as accounts
from core.report import account_words
from core.report.account import Account, Given, TrainingStep
from core.report.account_words import Check
from core.report.wording import Wording
from core.rollout import place, wording
from core.rollout.state import State
from core.runs.record import Run
from dashboard import i18n
from dashboard.i18n import language, t
from dashboard.words import reader_zone

EVERY = 1.0  # seconds between two looks at a measurement
RATES = ("machine_hour", "image", "engineer_hour")
HOURS = ("purify_hours", "train_hours")


def show(run: Run) -> None:
    """The account of a run, with its rates to be given."""
    try:
        given, step = accounts.kept(run)
    except BadInput as fault:
        st.error(i18n.error(fault.code, fault.message, fault.facts), icon=":material/error:")
        return
    say = report.wording(run, language(), reader_zone())
    given = _rates(run, given, step, accounts.usual_epochs(say.facts))
    made = accounts.account(say.facts, given, step)
    st.html(_table(made, given, say))
    _estimated(run, made, given, step, say)
    st.subheader(t("account.risk"), anchor=False)
    st.markdown("\n".join(f"- {i18n.unmarked(sentence)}" for sentence in account_words.risk(made, say)))
    left, right = st.columns(2, gap="medium")
    state = _rolled(run)
    with left:
        _checklist(account_words.checklist(made, say) + wording.in_use(run, say.words))
    with right:
        st.subheader(t("report.say"), anchor=False)
        said = account_words.phrases(made, given, say)
        said += wording.phrases(state, say.words) if state else [say.words("report.say.stages")]
        for sentence in said:
            st.markdown(i18n.unmarked(sentence))


def _rates(run: Run, given: Given, step: TrainingStep | None, epochs: int) -> Given:
    """What the user gives, kept as soon as it is changed."""
    with st.expander(t("account.rates"), icon=":material/tune:"):
        st.caption(t("account.rates_note"))
        values: dict[str, Any] = {}
        cells = [*st.columns(4), *st.columns(4)]
        values["currency"] = cells[0].text_input(
            t("account.given.currency"), given.currency, max_chars=4, key=f"account_currency_{run.id}"
        )
        for cell, name in zip(cells[1:6], (*RATES, *HOURS), strict=True):
            values[name] = cell.number_input(
                i18n.t(f"account.given.{name}"), 0.0, float(accounts.MOST), float(getattr(given, name)), format="%.2f",
                key=f"account_{name}_{run.id}",
            )  # fmt: skip
        values["epochs"] = cells[6].number_input(
            t("account.given.epochs"), 1, accounts.MOST, given.epochs or epochs, key=f"account_epochs_{run.id}"
        )
        images = given.training_images or (step.images if step else None)
        values["training_images"] = cells[7].number_input(
            t("account.given.training_images"), 1, accounts.MOST, images, key=f"account_images_{run.id}"
        )
    if values["epochs"] == epochs:
        values["epochs"] = None  # the usual ones
    if step and values["training_images"] == step.images:
        values["training_images"] = None  # as many as the set has
    changed = Given(**values)
    if changed != given:
        try:
            accounts.keep(run, changed, step)
        except OSError as error:
            st.error(i18n.error("place_lost", str(error.strerror), {}), icon=":material/error:")
    return changed


def _table(made: Account, given: Given, say: Wording) -> str:
    """Both ways side by side, as HTML."""
    words = say.words
    body = "".join(
        f'<tr><th scope="row">{escape(name)}</th>'
        + "".join(f'<td class="big">{escape(cell)}</td>' for cell in cells)
        + "</tr>"
        for name, *cells in account_words.rows(made, given, say)
    )
    heads = "".join(f'<th scope="col">{escape(words(f"account.{name}"))}</th>' for name in ("purified", "anew"))
    return (
        f'<div class="dz-scroll"><table class="dz-table"><thead><tr><td></td>{heads}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _estimated(run: Run, made: Account, given: Given, step: TrainingStep | None, say: Wording) -> None:
    """How the estimate came about, and the button that measures a training step."""
    st.caption(i18n.unmarked(account_words.estimate(made, given, step, say)))
    job = note.read(accounts.job_of(run))
    if job is not None and job.at_work:
        st.fragment(_measuring, run_every=EVERY)(run)
        return
    if job is not None and job.failure:
        told = i18n.error(str(job.failure["code"]), str(job.failure["message"]), job.failure.get("facts") or {})
        st.error(told, icon=":material/error:")
    if st.button(
        t("account.again") if step else t("account.measure"), key="account_measure", icon=":material/timer:",
        type="tertiary" if step else "primary",
    ):  # fmt: skip
        _measure(run)


def _measure(run: Run) -> None:
    path = accounts.job_of(run)
    try:
        require_room(path.parent)
    except BadInput as fault:
        st.error(i18n.error(fault.code, fault.message, fault.facts), icon=":material/error:")
        return
    note.begin(path, python_module("core", "account", str(run.folder.resolve()), "--measure", "--note"))
    st.rerun()


def _measuring(run: Run) -> None:
    job = note.read(accounts.job_of(run))
    if job is None or not job.at_work:
        st.rerun()
        return
    st.progress(min(1.0, job.done / job.total) if job.total else 0.0, text=t("account.measuring"))


def _rolled(run: Run) -> State | None:
    try:
        return place.read_state(place.folder_of(run))
    except BadInput:  # said where the roll-out is shown
        return None


def _checklist(checks: list[Check]) -> None:
    st.subheader(t("account.checklist"), anchor=False)
    for check in checks:
        icon = ":material/check_box:" if check.done else ":material/check_box_outline_blank:"
        st.markdown(f"{icon} {i18n.unmarked(check.text)}")
