"""English and Japanese: one catalogue each, flat keys, ``{name}`` placeholders.

A missing key or placeholder is an error, never a silent fallback; a test holds the catalogues against
each other and against every ``t("...")`` in the dashboard.
"""

from __future__ import annotations

import json
import re
import string
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

from core import words

LANGUAGES = {"en": "EN", "ja": "日本語"}
DEFAULT = "en"
KEY = "lang"  # of the switch, in the session and in the address
TOLD = "lang_told"  # in the session: the address carries it


@cache
def catalogue(language: str) -> dict[str, str]:
    """The sentences of one language, by key: those of the pages, and those that the engine shares with them."""
    pages = json.loads((Path(__file__).parent / f"{language}.json").read_text(encoding="utf-8"))
    return words.catalogue(language) | pages


def from_locale(locale: str | None) -> str:
    """The language to greet a browser with, from its locale ("ja-JP" -> "ja"); English where we have no other."""
    short = (locale or "").split("-")[0].lower()
    return short if short in LANGUAGES else DEFAULT


def language() -> str:
    """The reader's language: the switch, which starts from ``?lang=`` or else from the browser's locale."""
    chosen = st.session_state.get(KEY) or st.query_params.get(KEY)
    return chosen if chosen in LANGUAGES else from_locale(st.context.locale)


def switch() -> str:
    """Draws the language switch and returns the language chosen.

    The address carries it from when it was chosen, or stood there, or where it is not the browser's: so that an address
    that is passed on shows its page in the same language. ``bind="query-params"`` is no help here: it would write the
    label (``?lang=日本語``) into the address.
    """
    st.segmented_control(
        "Language / 言語",
        list(LANGUAGES),
        default=language(),
        required=True,
        format_func=LANGUAGES.__getitem__,
        key=KEY,
        label_visibility="collapsed",
    )
    chosen = language()
    if KEY in st.query_params or chosen != from_locale(st.context.locale):
        st.session_state[TOLD] = True  # another page's address begins without
    if st.session_state.get(TOLD) and st.query_params.get(KEY) != chosen:
        st.query_params[KEY] = chosen
    return chosen


def placeholders(text: str) -> set[str]:
    """Names of the ``{...}`` in a sentence."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def translate(to: str, key: str, **facts: Any) -> str:
    """The sentence of ``key`` in language ``to`` with the facts filled in.

    Raises:
        KeyError: the catalogue lacks the key, or the sentence names a fact that is not given.
    """
    return catalogue(to)[key].format(**facts)


def t(key: str, **facts: Any) -> str:
    """``translate`` into the reader's language."""
    return translate(language(), key, **facts)


def sentence(key: str) -> str:
    """The reader's sentence of ``key`` with its placeholders left open, for the browser to fill."""
    return catalogue(language())[key]


def class_name(data: str, name: str) -> str:
    """A class's name in the reader's language, as :meth:`core.words.Words.class_name`."""
    return words.Words(language()).class_name(data, name)


def error(code: str, message: str, facts: dict[str, Any], markdown: bool = True) -> str:
    """The sentence for a fault; the engine's own English sentence where its code is newer than the catalogue.

    Args:
        markdown: where it is to be shown as Markdown; the names in it may be a stranger's.
    """
    sentence = catalogue(language()).get(f"error.{code}")
    if sentence is None or not placeholders(sentence) <= set(facts):
        return unmarked(message) if markdown else message
    return sentence.format(**({name: unmarked(value) for name, value in facts.items()} if markdown else facts))


def unmarked(value: Any) -> Any:
    """A stranger's name, or a fault's fact, as it may stand in Markdown: it becomes no link, picture or formula, and
    at the beginning of a line no heading or list."""
    if value is None or isinstance(value, (int, float)):
        return value
    escaped = re.sub(r"([\\`*_\[\]<>$~|!:])", r"\\\1", str(value))
    return re.sub(r"^(\s*\d*)([#+=.)-])", r"\1\\\2", escaped, flags=re.MULTILINE)
