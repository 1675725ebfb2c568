"""The recordings that the pages Fleet, Watch and Data room open on where a visitor has nothing of their own."""

from __future__ import annotations

import streamlit as st

from core import recorded
from core.recorded import Recording
from dashboard import data, i18n
from dashboard.i18n import t
from dashboard.words import reader, when

ICON = ":material/movie:"


def find(name: str) -> Recording | None:
    """The shipped recording of that name; None where it is not whole."""
    return recorded.shipped(name)


def banner(recording: Recording, what: str, do: str, timed: bool = True) -> None:
    """Says plainly that what follows is a recording, of what and when, and how to do it with something of one's own.

    Args:
        what: sentences on what was recorded. do: how to begin with one's own. timed: the page tells how long it took.
    """
    machine = recording.machine.get("gpu") or data.short_name(str(recording.machine.get("cpu") or "")) or "?"
    moment, where = when(recording.created), i18n.unmarked(str(machine))
    made = t("recorded.made", when=moment, machine=where, version=recording.version)
    with st.container(border=True, key="recorded", gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.badge(i18n.t("status.recording"), icon=ICON, color="gray")
            st.caption(made, width="content")
        said = [what, t("recorded.busy")] if timed and recording.busy else [what]
        st.markdown(reader().joined(said))
        st.markdown(f"**{do}**")
