"""The glossary: every technical term with one sentence, in both languages. Tooltips, story and report read it here.

The words live in the catalogues as ``term.<id>`` and ``term.<id>.text``. A sentence elsewhere may name a term where
it stands, as ``[the words](id)``; ``html`` turns that into the words with the explanation beside them.
"""

from __future__ import annotations

import re
from html import escape
from typing import NamedTuple

from core.suspicion import NAMES
from dashboard.i18n import language, translate

TERMS = (
    "backdoor",
    "trigger",
    "target",
    "ba",
    "asr",
    "asr_kind",
    "confidence",
    "dissolution",
    "features",
    "projection",
    "cluster",
    "trustworthiness",
    "neighbours",
    "saliency",
    *NAMES.values(),
    "precision",
    "recall",
    "scan",
    "anomaly",
    "mcl",
    "budget",
    "purify",
    "cure",
    "proof",
)
_LINK = re.compile(r"\[([^\]]+)\]\((\w+)\)")


class Term(NamedTuple):
    """``name`` as it heads an entry, ``text``: one sentence."""

    name: str
    text: str


def term(key: str, to: str | None = None) -> Term:
    """One term in the reader's language, or in language ``to``.

    Raises:
        KeyError: not in the glossary.
    """
    if key not in TERMS:
        raise KeyError(key)
    to = to or language()
    return Term(translate(to, f"term.{key}"), translate(to, f"term.{key}.text"))


def named(sentence: str) -> list[str]:
    """The terms that a sentence names."""
    return [key for _, key in _LINK.findall(sentence)]


def plain(sentence: str) -> str:
    """A sentence without its marks."""
    return _LINK.sub(r"\1", sentence)


def html(sentence: str, to: str | None = None) -> str:
    """A sentence as HTML, each term with its explanation: seen at a hover, a tap or by keyboard, and read aloud."""
    parts = []
    last = 0
    for found in _LINK.finditer(sentence):
        words, key = found.groups()
        parts += [escape(sentence[last : found.start()]), _term(words, term(key, to))]
        last = found.end()
    return "".join([*parts, escape(sentence[last:])])


def _term(words: str, meant: Term) -> str:
    note = f'<span class="dz-note" role="tooltip"><b>{escape(meant.name)}</b>{escape(meant.text)}</span>'
    return f'<span class="dz-term" tabindex="0">{escape(words)}{note}</span>'
