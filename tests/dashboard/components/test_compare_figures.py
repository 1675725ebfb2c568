"""The figures of a comparison, without a browser."""

from __future__ import annotations

import base64
import io
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from core.defenses import DEFENCES
from dashboard.compare_data import Point
from dashboard.components.compare_figures import (
    MARKS,
    Line,
    Place,
    apart,
    as_uri,
    box_of,
    curves_figure,
    plane_figure,
    small_map,
)
from dashboard.palette import ATTACK, CLEAN

WORDS = {
    "asr": "Attack success",
    "ba": "Accuracy",
    "dissolved": "Dissolved",
    "seconds": "s",
    "before": "Before",
    "percent": " %",
}
POINTS = [Point(0, 95, 99, 1), Point(5, 95, 99, 1), Point(9, 93, 2, 90)]
PLACES = [Place("mcl", "MCL", 94.4, 0.0), Place("ft", "FT", 95.0, 99.0), Place("nc", "NC", 94.3, 0.4)]


def test_every_defence_has_a_mark_and_none_is_told_by_colour_alone() -> None:
    assert MARKS.keys() == DEFENCES.keys()
    for part in zip(*MARKS.values(), strict=True):
        assert len(set(part)) == len(MARKS)
    assert not {ATTACK, CLEAN} & {mark.colour for mark in MARKS.values()}


def test_curves_stand_one_below_the_other_over_the_seconds() -> None:
    figure = curves_figure([Line("mcl", "MCL", POINTS), Line("ft", "FT", POINTS[:1])], WORDS)
    assert len(figure.data) == 6
    asr = figure.data[0]
    assert (list(asr.x), list(asr.y)) == ([0, 5, 9], [99, 99, 2])
    assert [line.line.dash for line in figure.data[:2]] == [MARKS["mcl"].dash, MARKS["ft"].dash]
    assert [line.showlegend for line in figure.data] == [True, True, False, False, False, False]
    titles = {note.text: note.font.color for note in figure.layout.annotations}
    assert titles["<b>Attack success</b>"] == ATTACK
    assert titles["<b>Accuracy</b>"] == CLEAN


def test_an_arrow_leads_from_before_to_every_method() -> None:
    figure = plane_figure((95.6, 99.9), PLACES, WORDS)
    arrows = [note for note in figure.layout.annotations if note.showarrow]
    assert [(arrow.ax, arrow.ay) for arrow in arrows] == [(99.9, 95.6)] * 3
    assert [(arrow.x, arrow.y) for arrow in arrows] == [(place.asr, place.ba) for place in PLACES]
    assert figure.data[0].marker.color == ATTACK
    low, high = figure.layout.yaxis.range
    assert low < 94.3
    assert 95.6 < high <= 100.4


def test_the_label_of_a_mark_beside_another_stands_off_both() -> None:
    figure = plane_figure(
        (95.6, 99.9), [Place("ft", "FT", 93.3, 6.7), Place("nad", "NAD", 93.3, 9.6), PLACES[0]], WORDS
    )
    shifts = {note.text: note.xshift for note in figure.layout.annotations if not note.showarrow}
    assert shifts["FT"] == shifts["NAD"] < shifts[PLACES[0].name] < 0


def test_several_seeds_have_bars_from_the_least_to_the_greatest_and_a_curve_each() -> None:
    figure = plane_figure((95.6, 99.9), [Place("mcl", "MCL", 94.0, 2.0, (91.0, 95.0), (1.0, 6.0)), PLACES[1]], WORDS)
    several, one = figure.data[1:]
    assert (several.error_y.arrayminus, several.error_y.array) == ((3.0,), (1.0,))
    assert (several.error_x.arrayminus, several.error_x.array) == ((1.0,), (4.0,))
    assert "(1.0–6.0)" in several.hovertemplate
    assert not one.error_x.visible
    assert figure.layout.yaxis.range[0] < 91
    curves = curves_figure([Line("mcl", "MCL", POINTS), Line("mcl", "MCL", POINTS[:2])], WORDS)
    assert [line.showlegend for line in curves.data] == [True, False, False, False, False, False]


def test_a_plane_with_nothing_on_it_yet_shows_the_model_as_it_came() -> None:
    figure = plane_figure((95.6, 99.9), [], WORDS)
    assert len(figure.data) == 1


@given(st.lists(st.floats(0, 400), max_size=7))
def test_labels_stand_apart_in_their_order(levels: list[float]) -> None:
    moved = [level + move for level, move in zip(levels, apart(levels, 17), strict=True)]
    order = sorted(range(len(levels)), key=lambda k: levels[k])
    assert all(moved[b] - moved[a] >= 17 - 1e-6 for a, b in pairwise(order))


def test_labels_with_room_stay_where_they_are() -> None:
    assert apart([0, 50, 100], 17) == pytest.approx([0, 0, 0])
    assert apart([50, 50], 10) == pytest.approx([-5, 5])


def test_all_maps_have_one_scale_and_it_is_a_square() -> None:
    low, side = box_of([np.array([[0.0, 0], [4, 2]]), np.array([[2.0, -6], [np.nan, 1]])])
    assert side == 8
    assert low.tolist() == [-2, -6]
    assert box_of([np.zeros((0, 2))])[1] > 0


def test_a_small_map_shows_points_where_they_are_and_rings_the_triggered_ones() -> None:
    coords = np.array([[0.0, 0.0], [10.0, 10.0], [np.nan, 0.0]])
    labels, triggered = np.array([0, 1, 1]), np.array([False, True, False])
    image = small_map(coords, labels, triggered, triggered, box_of([coords]), size=100)
    assert image.shape == (100, 100, 4)
    assert image[50, 50, 3] == 0, "no ground"
    assert image[91:94, 7:10, 3].max() == 255, "low left, as coordinates rise upwards"
    ring = image[:20, 80:].reshape(-1, 4)
    orange = np.abs(ring[:, :3].astype(int) - (0xD5, 0x5E, 0)).sum(1) < 60
    assert (orange & (ring[:, 3] > 200)).any()
    assert not (np.abs(image[80:, :20, :3].astype(int) - (0xD5, 0x5E, 0)).sum(2) < 60).any()
    cured = small_map(coords, labels, triggered, ~triggered, box_of([coords]), size=100)
    assert not (np.abs(cured[..., :3].astype(int) - (0xD5, 0x5E, 0)).sum(2) < 60).any(), "nothing alarms any more"
    assert (np.abs(cured[:20, 80:, :3].astype(int) - (0, 0x72, 0xB2)).sum(2) < 60).any()


def test_a_picture_survives_as_a_data_uri() -> None:
    coords = np.random.default_rng(0).normal(size=(50, 2))
    image = small_map(coords, np.zeros(50, int), *np.zeros((2, 50), bool), box_of([coords]), size=60)
    head, _, body = as_uri(image).partition(",")
    assert head == "data:image/png;base64"
    assert Image.open(io.BytesIO(base64.b64decode(body))).size == (60, 60)
