"""What every page shares: logo, the few rules of our own style sheet, the page's language, the foot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

from dashboard import i18n
from dashboard.i18n import t

HERE = Path(__file__).resolve().parent.parent
LOGO = str(HERE.parent / "assets" / "logo.svg")
PAGES: dict[str, Any] = {}  # by name, for links between pages; set by app.py at every run, always to equal pages


def dress() -> None:
    """Logo, style sheet and language switch; fonts and screen readers are told the language."""
    st.logo(LOGO, size="medium")
    st.html(HERE / "theme.css")
    with st.container(key="language", width="content"):
        language = i18n.switch()
        st.html(f"<script>document.documentElement.lang = '{language}'</script>", unsafe_allow_javascript=True)


def footer() -> None:
    """One quiet line under every page."""
    st.caption(t("footer.privacy"))
