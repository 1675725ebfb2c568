"""The scan while it goes on: one bar a class, how many were reached, what is left. Nobody is accused before its end."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import streamlit as st

from core.words import clock
from dashboard import i18n
from dashboard.digest import Digest
from dashboard.i18n import t
from dashboard.words import percent, reader

MAX_BARS = 60  # classes with a bar, those that are nearest to being reached


def draw(digest: Digest, names: Sequence[str]) -> None:
    """Draws how far the search for each class is.

    Args:
        digest: of a run whose scan has not come to its end.
        names: of the classes, in the reader's language.
    """
    with st.container(key="search"):
        st.html(markup(digest, names))


def markup(digest: Digest, names: Sequence[str]) -> str:
    """The same as HTML; names are escaped, for they are a stranger's own."""
    found = digest.searched
    title = t("search.title", form=i18n.t(f"evidence.form.{found.form}")) if found else t("search.begins")
    facts = [t("search.reached", done=_reached(digest), count=len(names))]
    if digest.progress and digest.progress.seconds_left is not None:
        facts.append(t("search.left", time=clock(digest.progress.seconds_left)))
    if digest.ba is not None:
        facts.append(t("search.ba", ba=percent(digest.ba)))
    body = "".join(f"<li>{escape(fact)}</li>" for fact in facts)
    bars = "".join(_bar(digest, names, label) for label in _shown(digest, len(names)))
    notes = [t("search.note")]
    if len(names) > MAX_BARS:
        notes.append(t("search.more", count=len(names) - MAX_BARS))
    return (
        f'<section class="dz-search"><h2>{escape(title)}</h2><ul>{body}</ul>'
        f'<ol aria-label="{escape(t("search.label"))}">{bars}</ol><p>{escape(reader().joined(notes))}</p></section>'
    )


def _reached(digest: Digest) -> int:
    return sum(size is not None for size in digest.searched.sizes) if digest.searched else 0


def _shown(digest: Digest, count: int) -> list[int]:
    """Labels in order; of very many classes those that are nearest to being reached."""
    if count <= MAX_BARS or digest.searched is None:
        return list(range(min(count, MAX_BARS)))
    rates = digest.searched.rates
    return sorted(sorted(range(len(rates)), key=lambda label: -rates[label])[:MAX_BARS])


def _bar(digest: Digest, names: Sequence[str], label: int) -> str:
    """Light and as long as the share of images turned so far; once that is enough, dark and as long as the change is
    large beside the largest."""
    found = digest.searched
    known = found is not None and label < len(found.rates)
    rate, size = (found.rates[label], found.sizes[label]) if found and known else (0.0, None)
    largest = max((size for size in found.sizes if size is not None), default=0.0) if found else 0.0
    figure = t("search.size", size=f"{size:.1f}") if size is not None else percent(rate, 0)
    done = ' class="done"' if size is not None else ""
    name = escape(str(names[label]))
    width = min(100.0, rate) if size is None else 100 * size / max(largest, 1e-9)
    return f'<li{done}><b title="{name}">{name}</b><i><s style="width:{width:.0f}%"></s></i><span>{figure}</span></li>'
