"""An examination as it stands and what it leaves: the answer, the weights to take away, what the scan cannot see."""

from __future__ import annotations

from html import escape

import streamlit as st

from core.intake import uploads
from core.runs.record import Run
from dashboard import data, i18n
from dashboard.components import answer, inspected, intake, looks, outcome, proof, session, trigger_place
from dashboard.digest import Digest
from dashboard.i18n import t
from dashboard.words import duration, percent, target_name, when

MOST_CLASSES = 50  # rows of the table of classes, the most suspicious first
LIMITS = ("kinds", "hidden", "benign", "images", "estimated")


def answered(status: str, digest: Digest) -> bool:
    """Whether there is an answer to put on top."""
    return status in ("done", "recording") and digest.scanned is not None


def lead(run: Run, status: str, digest: Digest) -> None:
    """How an examination stands; once it is over, the answer."""
    with st.container(key="lead"):
        if status == "failed":
            session.failure(run)
        elif status == "lost":
            st.warning(t("lead.lost", frames=digest.frames), icon=session.ICONS["lost"])
        elif status == "running":
            help_ = i18n.t(f"phase.{digest.stage or 'load'}_help")
            told = session.verifying(digest) if digest.stage == "verify" else help_
            st.markdown(told + session.again(run, digest))
        elif answered(status, digest):
            answer.draw(run, digest)
            looked, placed = st.columns([9, 2], gap="medium")
            with looked:
                looks.draw(run)
            with placed:
                trigger_place.show(run)
            st.markdown(_outcome(run, digest))
        elif status in ("queued", "paused", "stopped"):
            st.markdown(i18n.t(f"lead.{status}"))
        if uploads.missing(run):
            st.info(t("examine.upload_gone"), icon=":material/delete_sweep:")


def _outcome(run: Run, digest: Digest) -> str:
    before, after = digest.before, digest.after
    number = data.measured_target(run, digest)
    target = i18n.unmarked(target_name(data.data_name(run), run.data.get("classes") or [], number))
    if before is None:
        return ""
    none = digest.scanned is not None and digest.scanned.verdict == "none"
    if after is None:
        sentence = "examine.scanned_none" if none else "examine.scanned"
        return i18n.t(sentence, target=target, asr=percent(before.asr), ba=percent(before.ba))
    held = (digest.finished.result if digest.finished else {}).get("ba_held") is not False
    sentence = "examine.not_held" if not held else "examine.purified_none" if none else "examine.purified"
    if held and digest.graded:
        kept = proof.is_kept(run, digest)
        sentence = "examine.not_cured" if kept else "examine.graded_none" if none else "examine.graded"
    return i18n.t(
        sentence, target=target, asr_before=percent(before.asr), asr_after=percent(after.asr),
        ba_before=percent(before.ba), ba_after=percent(after.ba), took=duration(digest.total_seconds),
    )  # fmt: skip


def results(run: Run, digest: Digest) -> None:
    """Figures, the proof of the cure, what to take away and the evidence, in two columns."""
    names = [i18n.class_name(data.data_name(run), name) for name in run.data.get("classes") or []]
    left, right = st.columns(2, gap="medium")
    with left:
        outcome.figures(digest)
        proof.draw(run, digest, names)
        take_away(run, digest)
    with right:
        outcome.evidence(digest, names, data.real_target(run), key="examine_evidence")
        per_class(digest, names)
        limits()


def take_away(run: Run, digest: Digest) -> None:
    """The purified weights in every format and their card; or why there are none."""
    if digest.finished is None or run.spec.scan_only:
        return
    if proof.is_kept(run, digest) or not (run.folder / "model.safetensors").exists():
        return  # the figures above say that accuracy could not be held, or the cure's grade that it failed
    st.subheader(t("take.title"), anchor=False)
    if digest.proof and digest.proof.cure in ("doubt", "failed"):
        st.warning(i18n.t(f"take.{digest.proof.cure}"), icon=":material/warning:")
    st.markdown(t("take.text"))
    with st.container(horizontal=True, key="take"):
        session.download(run, "model.onnx", t("take.onnx"))  # the answer on top has the primary one
        session.download(run, "model.safetensors", t("take.safetensors"))
        session.download(run, "model.pt", t("take.pt"))
        session.download(run, "card.json", t("take.card"))


def limits() -> None:
    """What this scan cannot see, beside every verdict."""
    st.subheader(t("limits.title"), anchor=False)
    st.markdown("\n".join(f"- {i18n.t(f'limits.{name}')}" for name in LIMITS))
    with st.expander(t("limits.tried"), icon=":material/lock_open:"):
        st.markdown(t("limits.adaptive"))


def per_class(digest: Digest, names: list[str]) -> None:
    """For each class the smallest trigger found, how often it works (an estimated rate), and how suspicious that is."""
    scanned = digest.scanned
    if scanned is None:
        return
    suspicion = scanned.suspicion or [0.0] * len(scanned.mask_sizes)
    order = sorted(range(len(scanned.mask_sizes)), key=lambda label: -suspicion[label])[:MOST_CLASSES]
    if scanned.target not in order:  # named for another reason than its suspicion
        order[-1] = scanned.target
    body = ""
    for label in order:
        size = scanned.mask_sizes[label]
        name = names[label] if label < len(names) else str(label)
        mark = f" <em>{escape(t('evidence.suspect'))}</em>" if label == scanned.target else ""
        body += (
            f'<tr><th scope="row">{escape(name)}{mark}</th><td>{"–" if size is None else f"{size:.1f}"}</td>'
            f"<td>{percent(scanned.attack_rates[label])}</td><td>{suspicion[label]:.1f}</td></tr>"
        )
    heads = ("", t("evidence.size"), t("classes.rate"), t("classes.suspicion"))
    head = "".join(f'<th scope="col">{escape(words)}</th>' for words in heads)
    with st.expander(t("classes.title"), icon=":material/table_rows:"):
        st.html(
            f'<div class="dz-scroll"><table class="dz-table"><thead><tr>{head}</tr></thead><tbody>{body}</tbody>'
            "</table></div>"
        )
        st.caption(t("classes.note"))


def files(run: Run, digest: Digest) -> None:
    """Where everything is, how the run was made, and the removal of what was uploaded for it."""
    with st.expander(t("files.title"), icon=":material/folder_open:"):
        st.markdown(t("files.where"))
        st.code(str(run.folder), language=None, wrap_lines=True)
        spec = run.spec
        budget = percent(100 * spec.clean_budget, 0) if spec.clean_budget < 1 else f"{spec.clean_budget:.0f}"
        result = digest.finished.result if digest.finished else {}
        arch, normalize = result.get("arch") or spec.arch or "–", result.get("normalize") or spec.normalize
        st.caption(
            t(
                "take.made", when=when(run.data.get("created", "")), took=duration(digest.total_seconds), arch=arch,
                scaling=inspected.inputs_name(normalize) if normalize else "–", budget=budget, seed=spec.seed,
            )
        )  # fmt: skip
        if spec.scan_of:
            st.caption(t("take.scan_of", run=i18n.unmarked(spec.scan_of)))
        places = dict.fromkeys((uploads.holding(spec.weights), uploads.holding(spec.images)))
        given = [upload for place in places if (upload := uploads.find(place)) is not None]
        if given:
            everything = data.runs()
            users = {user.id for upload in given for user in uploads.used_by(upload.id, everything)}
            intake.remover(*given, used=len(users))
