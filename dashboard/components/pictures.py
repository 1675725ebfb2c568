"""Pictures in a grid, each a button that marks it, as one component that keeps its node."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

from core.runs.arrays import THUMBS_A_ROW
from dashboard.components.wire import bundled

ASSETS = Path(__file__).parent / "pictures_assets"


def grid(
    key: str, page: str, sprite: tuple[str, str], tiles: Sequence[Mapping[str, Any]], marked: Sequence[int],
    words: Mapping[str, Any], on_mark: Callable[[dict[int, bool]], None],
) -> None:  # fmt: skip
    """Draws the pictures of a page, or hands the component that is there new ones. A press is seen at once.

    Args:
        key: identity of the component on the page.
        page: what tells these pictures from those of another page.
        sprite: as ``sprite_of`` gives it, the pictures in the order of ``tiles``.
        tiles: of each picture ``at``, its number; ``name`` and ``note``, two short lines; ``was``, whether it was
            marked at first.
        marked: the numbers of those that are marked.
        words: ``label`` of the grid; ``states``: what is said of a picture that neither was nor is marked, that is
            marked only now, that was marked only at first, and that was and is.
        on_mark: called after a press, with the number of every picture on its page and whether that is marked.
    """

    def hear() -> None:
        told = st.session_state[key]["marked"]
        st.session_state[f"{key}_heard"] = told["number"]
        on_mark({int(at): at in told["marked"] for at in told["tiles"]})

    data = {
        "page": page, "sprite": sprite[0], "shape": sprite[1], "tiles": [dict(tile) for tile in tiles],
        "marked": list(marked), "heard": st.session_state.get(f"{key}_heard"), **words,
    }  # fmt: skip
    _component()(key=key, data=data, on_marked_change=hear)


@st.cache_data(max_entries=64, show_spinner=False)
def sprite_of(file: str, changed: int, count: int, places: tuple[int, ...]) -> tuple[str, str]:
    """Some pictures of a sheet side by side, as an address for CSS, and the shape of each, as CSS has it.

    Args:
        file: the sheet (``core.runs.arrays.sprite_of``), of ``count`` pictures. changed: when it was written last, so
            that another one of its name is not taken for it.
        places: on the sheet, of the pictures that are wanted.
    """
    from PIL import Image

    with Image.open(file) as sheet:
        width, height = sheet.width // THUMBS_A_ROW, sheet.height // -(-count // THUMBS_A_ROW)
        made = Image.new("RGB", (width * len(places), height))
        for k, place in enumerate(places):
            x, y = place % THUMBS_A_ROW * width, place // THUMBS_A_ROW * height
            made.paste(sheet.crop((x, y, x + width, y + height)), (k * width, 0))
    content = io.BytesIO()
    made.save(content, "PNG")
    return f"data:image/png;base64,{base64.b64encode(content.getvalue()).decode()}", f"{width} / {height}"


@cache
def _component() -> Callable[..., Any]:
    css = (ASSETS / "pictures.css").read_text(encoding="utf-8")
    js = bundled([ASSETS / "marks.js", ASSETS / "grid.js"])
    return st.components.v2.component("dissolve.pictures", css=css, js=js, isolate_styles=False)
