"""The grade of a cure, as big as the figures it is about: what it means, what was tried, and the next step."""

from __future__ import annotations

import base64
from html import escape

import streamlit as st

from core.report import charts
from core.report.cure import way_words
from core.report.proof import Proof, handed_out, is_refused, next_step, points, way_back
from core.report.repeated import further, purifications, sentences
from core.runs.record import Run
from dashboard import i18n
from dashboard.digest import Digest
from dashboard.i18n import t
from dashboard.words import reader

ICONS = {
    "holds": ":blue[:material/verified_user:]",
    "doubt": ":gray[:material/help:]",
    "failed": ":orange[:material/gpp_bad:]",
    "old": ":gray[:material/history:]",
}


def line(digest: Digest) -> str:
    """The grade in a few words with its sign, as Markdown; "" where nothing was purified."""
    proof = digest.proof
    return "" if proof is None else f"{ICONS[proof.state]} **{i18n.t(f'cure.{proof.state}')}**"


def short(digest: Digest) -> str:
    """The grade in one word, for a list; a dash where there is none."""
    return i18n.t(f"cure.short.{digest.proof.state if digest.proof else 'old'}")


def lead(digest: Digest) -> None:
    """The grade above what a page says of a run that has ended."""
    if words := line(digest):
        with st.container(key="cure"):
            st.markdown(words)


def is_kept(run: Run, digest: Digest) -> bool:
    """Whether the purified model is kept back, as it is not cured."""
    return digest.proof is not None and is_refused(digest.proof, run.spec.accept)


def is_sound(digest: Digest) -> bool:
    """Whether nothing speaks against taking the purified model away: it then wears the primary colour."""
    return digest.proof is None or digest.proof.cure in (None, "holds")


def draw(run: Run, digest: Digest, names: list[str]) -> None:
    """The block beside the figures; nothing where nothing was purified.

    Args:
        names: class names in the reader's language.
    """
    proof = digest.proof
    if proof is None:
        return
    result = digest.finished.result if digest.finished else {}
    held = result.get("ba_held")
    out = handed_out(proof, held, run.spec.accept)
    with st.container(key=f"proof_{proof.state}", gap="small"):
        with st.container(key="grade"):
            st.markdown(line(digest))
        meant = [
            f"cure.{proof.state}.text",
            *([out] if out and out != "cure.out.not_held" else []),
        ]  # the figures say so
        words, name = reader(), t("cure.next")
        found = purifications(result)
        again = sentences(found, words, lambda label: i18n.unmarked(_named(names, label)))
        st.markdown(words.joined([*(i18n.t(key) for key in meant), *again]))
        step = words.named(name, i18n.t(next_step(proof, held, further(result, run.spec))))
        st.markdown(f"**{name[:-1]}**{name[-1]}{step}")  # Markdown sees no end of bold between "：" and a letter
        if listed := tried(proof, names):
            with st.expander(t("proof.tried"), icon=":material/fact_check:"):
                st.html(listed)


def tried(proof: Proof, names: list[str]) -> str:
    """What was tried and what came of it, as HTML; "" where the record says nothing of it."""
    found = points(proof, lambda label: _named(names, label))
    items = "".join(
        f'<li class="{"good" if point.good else "bad"}">{escape(i18n.t(point.key, **point.values))}</li>'
        for point in found
    )
    way, drawn = way_back(proof), ""
    if way is not None:
        label, note = way_words(reader(), way)
        picture = str(charts.way(way.shares, way.asr, way.ba, label))
        picture = picture.replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"', 1)
        uri = "data:image/svg+xml;base64," + base64.b64encode(picture.encode()).decode()
        drawn = (
            f'<figure><img src="{uri}" alt="{escape(label)}"><figcaption><b>{escape(t("proof.path.title"))}</b>'
            f"{escape(note)}</figcaption></figure>"
        )
    return f'<div class="dz-proof"><ul>{items}</ul>{drawn}</div>' if items or drawn else ""


def _named(names: list[str], label: int) -> str:
    return names[label] if label < len(names) else str(label)
