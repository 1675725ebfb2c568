"""Where a trigger sits: found from examples without and with it, and framed."""

from __future__ import annotations

import numpy as np

from core.runs.arrays import Examples
from dashboard import palette
from dashboard.components.trigger_place import Place, framed, place_of

GREY = 120


def examples(*boxes: tuple[int, int, int, int], by: int = 90, side: int = 32) -> Examples:
    """One image for each box (left, top, wide, high), brighter in it."""
    clean = np.full((len(boxes), side, side, 3), GREY, np.uint8)
    triggered = clean.copy()
    for image, (left, top, wide, high) in zip(triggered, boxes, strict=True):
        image[top : top + high, left : left + wide] += np.uint8(by)
    return Examples(np.arange(len(boxes), dtype=np.int32), clean, triggered)


def test_a_stamp_has_a_place() -> None:
    assert place_of(examples((24, 23, 6, 5), (24, 23, 6, 5))) == Place(24, 23, 6, 5)


def test_a_stray_pixel_of_one_image_is_no_part_of_it() -> None:
    assert place_of(examples((24, 23, 6, 6), (24, 23, 6, 6), (0, 0, 1, 1))) == Place(24, 23, 6, 6)


def test_what_is_spread_over_the_image_has_no_place() -> None:
    assert place_of(examples((0, 0, 32, 32))) is None
    assert place_of(examples((0, 0, 17, 17))) is None, "more than a quarter"
    assert place_of(examples((0, 0, 16, 16))) == Place(0, 0, 16, 16)


def test_what_changes_nothing_to_speak_of_has_no_place() -> None:
    assert place_of(examples((4, 4, 6, 6), by=20)) is None


def test_the_frame_runs_around_the_place_and_leaves_it_whole() -> None:
    place = Place(10, 12, 6, 6)
    made = examples((10, 12, 6, 6)).triggered[0]
    shown = framed(made, place)
    assert shown.shape == (192, 192, 3)
    orange = (shown == [int(palette.ATTACK[k : k + 2], 16) for k in (1, 3, 5)]).all(axis=2)
    rows, columns = np.nonzero(orange)
    assert (columns.min(), rows.min(), columns.max(), rows.max()) == (56, 68, 99, 111)
    assert not orange[72:108, 60:96].any()
    assert (shown[72:108, 60:96] == GREY + 90).all()
    assert (made == examples((10, 12, 6, 6)).triggered[0]).all(), "the example itself stays as it is"


def test_in_a_corner_the_frame_stays_inside() -> None:
    shown = framed(examples((26, 26, 6, 6)).triggered[0], Place(26, 26, 6, 6))
    orange = (shown == [int(palette.ATTACK[k : k + 2], 16) for k in (1, 3, 5)]).all(axis=2)
    assert orange[191, 152:].all()
    assert orange[152:, 191].all()
