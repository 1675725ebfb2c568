"""Entry of the dashboard: ``streamlit run dashboard/app.py``. Frame, navigation and language; pages are in views/."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:  # Streamlit puts this file's folder on the path, not the project's
    sys.path.insert(0, str(ROOT))

import streamlit as st  # noqa: E402

from dashboard.components import frame  # noqa: E402
from dashboard.i18n import t  # noqa: E402
from dashboard.views import about, compare, data_room, examine, explore, fleet, purify, runs, story, test_track, watch  # noqa: E402

st.set_page_config(
    page_title=t("app.name"),
    page_icon=frame.LOGO,
    layout="wide",
    initial_sidebar_state="collapsed",
    menu_items={"About": t("app.about")},
)
frame.dress()

pages = {
    "story": st.Page(story.page, title=t("nav.story"), url_path="story", default=True),
    "purify": st.Page(purify.page, title=t("nav.purify"), url_path="purify"),
    "examine": st.Page(examine.page, title=t("nav.examine"), url_path="examine"),
    "explore": st.Page(explore.page, title=t("nav.explore"), url_path="explore"),
    "fleet": st.Page(fleet.page, title=t("nav.fleet"), url_path="fleet"),
    "test_track": st.Page(test_track.page, title=t("nav.test_track"), url_path="test-track"),
    "data_room": st.Page(data_room.page, title=t("nav.data_room"), url_path="data-room"),
    "compare": st.Page(compare.page, title=t("nav.compare"), url_path="compare"),
    "watch": st.Page(watch.page, title=t("nav.watch"), url_path="watch"),
    "runs": st.Page(runs.page, title=t("nav.runs"), url_path="runs"),
    "about": st.Page(about.page, title=t("nav.about"), url_path="about"),
}
frame.PAGES.update(pages)
st.navigation(list(pages.values()), position="top").run()
frame.footer()
