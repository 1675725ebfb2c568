"""The foot of the story: the six steps as dots, full screen, and a presenter's keys."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

from dashboard.i18n import t

ASSETS = Path(__file__).parent / "story_assets"


def bar(key: str, step: int, waits: int, titles: Sequence[str], on_go: Callable[[], None]) -> None:
    """Draws the dots and the button for full screen.

    Args:
        key: identity of the component on the page.
        step: where the visitor is, from 1.
        waits: the step whose scene may take "next" for itself; until it is there, the key does nothing.
        titles: of all steps, in the reader's language.
        on_go: called when a dot was pressed; ``st.session_state[key]["go"]`` is its step.

    The keys ArrowRight and PageDown press the button with the key ``story_next``, ArrowLeft and PageUp ``story_back``.
    """
    count = len(titles)
    labels = [t("story.step", step=k, count=count, title=title) for k, title in enumerate(titles, 1)]
    texts = {"steps": t("story.steps"), "full": t("story.full"), "full_help": t("story.full_help")}
    _component()(
        key=key,
        data={"step": step, "waits": waits, "titles": list(titles), "labels": labels, "texts": texts},
        on_go_change=on_go,
    )


@cache
def _component() -> Callable[..., Any]:
    js, css = ((ASSETS / name).read_text(encoding="utf-8") for name in ("bar.js", "bar.css"))
    return st.components.v2.component("dissolve.story_bar", css=css, js=js, isolate_styles=False)
