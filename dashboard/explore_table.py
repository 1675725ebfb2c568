"""The points of the page Explore as a pandas table, and as CSV. pandas is imported when a table is made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from core.suspicion import NAMES
from dashboard.components.explore_payload import RoomPayload

if TYPE_CHECKING:
    import pandas as pd

AXES = ("x", "y", "z")
FORMULA = r"^(?:[=+@\t\r]|-\D)"  # what a spreadsheet would work out, were it the name of a user's class


def points_table(payload: RoomPayload, map_id: str) -> pd.DataFrame:
    """One row a point, indexed by ``point``: what the image is, what the models say of it before and after, how
    suspicious each detector finds it (0-1), and where it lies on a map at its first and last time.

    Args:
        map_id: of the map, as the room knows it; one that is not there has no columns.
    """
    import pandas as pd

    frames = {"before": payload.frames[0]}
    if len(payload.frames) > 1:
        frames["after"] = payload.frames[-1]
    names = np.array(payload.class_names, dtype=object)
    twin = pd.array(payload.twin, dtype="Int32")
    twin[payload.twin < 0] = pd.NA
    table = pd.DataFrame(
        {
            "test_image": payload.index, "class": payload.labels, "class_name": names[payload.labels],
            "triggered": payload.triggered.astype(int), "twin": twin,
        },
        pd.RangeIndex(len(payload.labels), name="point"),
    )  # fmt: skip
    for when, frame in frames.items():
        table[f"answer_{when}"] = np.asarray(frame.answers)
        table[f"answer_name_{when}"] = names[np.asarray(frame.answers)]
        table[f"confidence_{when}"] = np.asarray(frame.confidence)
    for score in payload.scores:
        table[f"{NAMES[score.method]}_{score.when}"] = np.round(score.values.astype(float), 3)
    name = map_id.partition(":")[0]  # of a settled map without its settings, which stand in the file's name
    for when, coords in _ends(payload, map_id).items():
        for axis, column in zip(AXES, coords.T, strict=False):
            table[f"{name}_{when}_{axis}"] = np.round(column.astype(float), 5)
    return table


def csv_of(payload: RoomPayload, map_id: str, selected: Sequence[int], whole: bool) -> bytes:
    """The table as CSV for spreadsheets: UTF-8 with its mark, a column ``selected``, no cell that is a formula.

    Args:
        selected: points; others are passed over.
        whole: all points, not the selected ones alone.
    """
    table = points_table(payload, map_id)
    table.insert(5, "selected", table.index.isin(list(selected)).astype(int))
    if not whole:
        table = table[table["selected"] == 1]
    words = [name for name in map(str, table.columns) if name.startswith(("class_name", "answer_name"))]
    table[words] = table[words].replace(FORMULA, r"'\g<0>", regex=True)
    text: str = table.to_csv(lineterminator="\r\n")
    return text.encode("utf-8-sig")


def _ends(payload: RoomPayload, map_id: str) -> dict[str, np.ndarray]:
    """Coordinates (n, dims) on a map, by "before" and "after"."""
    if map_id == f"{payload.method}-{payload.dims}":
        coords = [np.asarray(frame.coords) for frame in payload.frames]
    else:
        found = next((layout.coords for layout in payload.layouts if layout.id == map_id), None)
        coords = [] if found is None else list(found)
    ends = {"before": coords[0], "after": coords[-1]} if coords else {}
    return ends if len(coords) > 1 else dict(list(ends.items())[:1])
