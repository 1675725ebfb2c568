"""Where a run's trigger sits in an image, and of what size: a frame around it in an example, where it has one place."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import streamlit as st

from core.runs.arrays import Examples
from core.runs.record import Run
from dashboard import palette
from dashboard.i18n import t

CHANGED = 0.1  # of the range of a colour: a pixel that changes by more belongs to the trigger
LARGEST = 0.25  # of the picture: what spreads further has no place to be shown
SIDE = 192  # pixels of the picture on the page
LINE = 2  # pixels of the frame, and of the gap between it and the trigger


class Place(NamedTuple):
    """Corner and size in pixels of the run's images."""

    left: int
    top: int
    wide: int
    high: int


def place_of(examples: Examples) -> Place | None:
    """The box of the pixels that the trigger changes in half of the examples or more.

    None if it covers more than ``LARGEST`` of the picture, or changes nothing.
    """
    change = np.abs(examples.triggered.astype(np.int16) - examples.clean.astype(np.int16)).max(axis=3) > 255 * CHANGED
    rows, columns = np.nonzero(change.mean(axis=0) >= 0.5)
    if not len(rows):
        return None
    left, top = int(columns.min()), int(rows.min())
    found = Place(left, top, int(columns.max()) - left + 1, int(rows.max()) - top + 1)
    return found if found.wide * found.high <= LARGEST * change[0].size else None


def framed(image: np.ndarray, place: Place) -> np.ndarray:
    """The image, uint8 (h, w, 3), enlarged by a whole number, with a frame around that place: uint8 (H, W, 3)."""
    by = max(1, SIDE // max(image.shape[:2]))
    large = image.repeat(by, axis=0).repeat(by, axis=1)
    height, width = large.shape[:2]
    left, top = max(0, by * place.left - 2 * LINE), max(0, by * place.top - 2 * LINE)
    right = min(width, by * (place.left + place.wide) + 2 * LINE)
    bottom = min(height, by * (place.top + place.high) + 2 * LINE)
    colour = tuple(int(palette.ATTACK[k : k + 2], 16) for k in (1, 3, 5))
    for rows, columns in (
        (slice(top, top + LINE), slice(left, right)), (slice(bottom - LINE, bottom), slice(left, right)),
        (slice(top, bottom), slice(left, left + LINE)), (slice(top, bottom), slice(right - LINE, right)),
    ):  # fmt: skip
        large[rows, columns] = colour
    return large


def show(run: Run) -> None:
    """An example with the trigger, framed, and its size in words; nothing of a trigger that has no one place."""
    examples = run.examples()
    place = place_of(examples) if examples is not None and len(examples.sample) else None
    if examples is None or place is None:
        return
    height, width = examples.clean.shape[1:3]
    said = t("trigger_place", wide=place.wide, high=place.high, width=width, height=height)
    st.image(framed(examples.triggered[0], place), caption=said, width=SIDE, alt=said)
