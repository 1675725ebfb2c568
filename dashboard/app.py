"""Entry of the dashboard: ``streamlit run dashboard/app.py``. Frame, navigation and language; pages are in views/."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:  # Streamlit puts this file's folder on the path, not the project's
    sys.path.insert(0, str(ROOT))

import streamlit as st  # noqa: E402

from dashboard import memory  # noqa: E402
from dashboard.components import frame  # noqa: E402
from dashboard.i18n import t  # noqa: E402
from dashboard.views import PAGES  # noqa: E402

st.set_page_config(
    page_title=t("app.name"),
    page_icon=frame.LOGO,
    layout="wide",
    initial_sidebar_state="collapsed",
    menu_items={"About": t("app.about")},
)
frame.dress()

pages = {
    name: st.Page(
        import_module(f"dashboard.views.{name}").page,
        title=t(f"nav.{name}"), url_path=name.replace("_", "-"), default=name == PAGES[0],
    )
    for name in PAGES
}  # fmt: skip
frame.PAGES.update(pages)
st.navigation(list(pages.values()), position="top").run()
frame.footer()
memory.set_apart()
