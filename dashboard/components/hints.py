"""How to use what stands above, in a mouse's words or a finger's; which it is, the browser knows and not the server."""

from __future__ import annotations

from html import escape

import streamlit as st

from dashboard import i18n


def draw(name: str) -> None:
    """One quiet line, from the sentences ``hint.<name>`` and ``hint.<name>_touch``."""
    st.html(markup(name))


def markup(name: str) -> str:
    """Both sentences as HTML; the style sheet shows the one for the pointer at hand, (pointer: coarse)."""
    fine, coarse = (escape(i18n.t(f"hint.{key}")) for key in (name, f"{name}_touch"))
    return f'<p class="dz-hint"><span class="dz-fine">{fine}</span><span class="dz-coarse">{coarse}</span></p>'
