"""What the methods are, one plain sentence each, where they are chosen: their short names tell most readers nothing."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import streamlit as st

from core.defenses import DEFENCES
from dashboard import i18n
from dashboard.words import defence_name


def hint() -> str:
    """Every method with its source, for the question mark of a choice; Markdown."""
    return "\n".join(f"- **{defence_name(name)}**: {i18n.t(f'defence.{name}.text')}" for name in DEFENCES)


def lines(names: Sequence[str]) -> None:
    """What each of these methods does, for a reader who knows none of them."""
    rows = "".join(
        f"<li><b>{escape(i18n.t(f'defence.{name}.short'))}</b> {escape(i18n.t(f'defence.{name}.plain'))}</li>"
        for name in names
    )
    if rows:
        st.html(f'<ul class="dz-methods" data-testid="methods">{rows}</ul>')
