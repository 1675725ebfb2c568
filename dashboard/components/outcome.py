"""What came of it: figures before and after over the whole test set, and what the scan saw."""

from __future__ import annotations

from html import escape

import streamlit as st

from core.events import Measured, Scanned
from core.report.advice import ASR_LIMIT
from core.report.evidence import Evidence, sentences
from dashboard import i18n
from dashboard.digest import Digest
from dashboard.i18n import t
from dashboard.words import change, percent, reader


def figures(digest: Digest) -> None:
    """The table of attack success and accuracy, before and after, with what kind of attack rate it is.

    Once a run has finished without an "after", it was a scan: then nothing stands beside the figures, or is waited for.
    """
    scan = digest.finished is not None and digest.after is None
    st.subheader(t("outcome.title_scan") if scan else t("outcome.title"), anchor=False)
    if digest.before is None:
        st.caption(t("outcome.waiting"))
        return
    before = digest.before
    st.html(alone(before) if scan else table(before, digest.after))
    kind = before.asr_kind
    notes = [
        t("outcome.note", clean=f"{before.clean_images:,}", triggered=f"{before.triggered_images:,}"),
        t("outcome.worst_note") if kind == "estimated" and digest.graded else i18n.t(f"outcome.{kind}_note"),
    ]
    if digest.after is None and not scan:
        notes.insert(0, t("outcome.waiting"))
    st.caption(reader().joined(notes))
    if digest.finished and digest.finished.result.get("ba_held") is False:
        st.warning(t("outcome.not_held"), icon=":material/shield:")


def table(before: Measured, after: Measured | None) -> str:
    """Rows of attack success, accuracy and that of the target class as HTML.

    An "after" of another kind of attack rate is never set beside it.
    """
    comparable = after is not None and after.asr_kind == before.asr_kind
    rows = [
        (
            i18n.t(f"outcome.asr_{before.asr_kind}"),
            before.asr,
            after.asr if after and comparable else None,
            tone(after.asr if after and comparable else before.asr),
        ),
        (t("outcome.ba"), before.ba, after.ba if after else None, "clean"),
    ]
    if before.target_ba is not None:
        rows.append((t("outcome.target_ba"), before.target_ba, after.target_ba if after else None, "clean"))
    body = "".join(_row(*row) for row in rows)
    return (
        f'<table class="dz-table"><thead><tr><td></td><th scope="col">{escape(t("outcome.before"))}</th>'
        f'<th scope="col">{escape(t("outcome.after"))}</th>'
        f'<th scope="col" class="gap">{escape(t("outcome.change"))}</th></tr></thead><tbody>{body}</tbody></table>'
    )


def alone(measured: Measured) -> str:
    """The same two rows of a model that was measured once."""
    rows = (
        (i18n.t(f"outcome.asr_{measured.asr_kind}"), measured.asr, tone(measured.asr)),
        (t("outcome.ba"), measured.ba, "clean"),
    )
    body = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td class="big dz-{colour}">{percent(value)}</td></tr>'
        for name, value, colour in rows
    )
    return f'<table class="dz-table"><tbody>{body}</tbody></table>'


def tone(asr: float | None) -> str:
    """The colour of an attack success: the attack's as long as it succeeds, else the clean one."""
    return "attack" if asr is not None and asr >= ASR_LIMIT else "clean"


def _row(name: str, before: float, after: float | None, colour: str) -> str:
    gap = change(before, after) if after is not None else ""
    return (
        f'<tr><th scope="row">{escape(name)}</th><td class="was">{percent(before)}</td>'
        f'<td class="big dz-{colour}">{percent(after)}</td><td class="gap">{gap}</td></tr>'
    )


def evidence(digest: Digest, names: list[str], real: int | None, key: str) -> None:
    """What the scan saw, worded as evidence with its strength, and what was done for want of a trigger.

    Args:
        digest: of the run; without ``scanned`` while the scan is going on.
        names: class names in the reader's language.
        real: the class the attacker chose where that is known.
        key: identity of the chart on the page.
    """
    st.subheader(t("evidence.title"), anchor=False)
    scanned, result = digest.scanned, digest.finished.result if digest.finished else {}
    if scanned is None:
        st.caption(t("evidence.waiting"))
        return
    st.markdown(f"**{i18n.t(f'verdict.{scanned.verdict}')}**")
    saw = Evidence.of(scanned, result, real, result.get("target"))
    for sentence in sentences(saw, reader(), lambda label: i18n.unmarked(_name(names, label))):
        st.markdown(sentence)
    _bars(scanned, names, key)


def _name(names: list[str], label: int) -> str:
    return names[label] if label < len(names) else str(label)


def _bars(scanned: Scanned, names: list[str], key: str) -> None:
    from dashboard.figures import mask_sizes_figure  # plotly takes a third of a second to import

    words = {"size": t("evidence.size"), "target": t("evidence.suspect"), "none": t("evidence.none")}
    figure = mask_sizes_figure(scanned.mask_sizes, names, scanned.target, words)
    st.markdown(f"**{t('evidence.figure')}**")  # a heading breaks its line on a phone; a figure's title is cut off
    st.plotly_chart(figure, key=key, config={"displayModeBar": False})
