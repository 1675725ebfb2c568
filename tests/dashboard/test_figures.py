from __future__ import annotations

import numpy as np
import pytest

from dashboard.figures import curves_figure, map_figure, mask_sizes_figure
from dashboard.palette import ATTACK, CLEAN, class_marks

LABELS = np.array([0, 1, 2, 0, 1])
TRIGGERED = np.array([False, False, False, True, True])
NAMES = ("stop", "give way", "30 km/h")
COORDS = np.arange(10.0).reshape(5, 2)
CURVE_WORDS = {"asr": "Attack success", "ba": "Accuracy", "dissolved": "Dissolved", "step_axis": "step"}
SCAN_WORDS = {"size": "size of the trigger (pixels)", "target": "target", "none": "none found"}


def test_points_are_known_by_id_and_triggered_ones_are_ringed():
    clean, triggered = map_figure(LABELS, TRIGGERED, NAMES, COORDS).data
    assert list(clean.customdata) == [0, 1, 2]
    assert list(triggered.customdata) == [3, 4]
    assert list(triggered.x) == [6, 8]
    assert triggered.marker.line.color == ATTACK
    assert clean.marker.line.color != ATTACK
    assert map_figure(LABELS, TRIGGERED, NAMES).layout.meta == {"misled": ATTACK, "freed": CLEAN}
    assert triggered.marker.line.width > 1 > clean.marker.line.width


def test_colour_follows_the_class_not_the_trigger():
    clean, triggered = map_figure(LABELS, TRIGGERED, NAMES, COORDS).data
    assert clean.marker.color[1] == triggered.marker.color[1] == class_marks(3)[1].colour


def test_a_map_without_places_has_its_traces_but_no_points():
    figure = map_figure(LABELS, TRIGGERED, NAMES)
    assert [len(trace.customdata) for trace in figure.data] == [0, 0]
    assert [trace.type for trace in figure.data] == ["scattergl", "scattergl"]


def test_a_unit_is_as_long_across_as_up_and_axes_are_bare():
    layout = map_figure(LABELS, TRIGGERED, NAMES, COORDS).layout
    assert layout.yaxis.scaleanchor == "x"
    assert not layout.xaxis.visible
    assert layout.paper_bgcolor == "rgba(0,0,0,0)"


def test_three_dimensions():
    figure = map_figure(LABELS, TRIGGERED, NAMES, np.zeros((5, 3)), dims=3)
    assert [trace.type for trace in figure.data] == ["scatter3d"] * 3
    rings = figure.data[2]
    assert list(rings.customdata) == [3, 4]
    assert (rings.marker.color, rings.marker.symbol) == (ATTACK, "circle-open")


@pytest.mark.parametrize(
    ("labels", "coords", "dims"),
    [(LABELS[:3], COORDS, 2), (LABELS, COORDS[:4], 2), (LABELS, COORDS, 3), (LABELS, COORDS, 4)],
)
def test_a_map_of_arrays_that_do_not_fit_is_refused(labels, coords, dims):
    with pytest.raises(ValueError, match=r"dims|same points"):
        map_figure(labels, TRIGGERED, NAMES, coords, dims=dims)


def test_curves_differ_by_dash_as_well_as_by_colour():
    rows = [{"step": 0, "asr": 99.0, "ba": 97.0, "dissolution": 2.0}, {"step": 4, "asr": 1.0, "ba": None}]
    lines = {line.name: line for line in curves_figure(rows, CURVE_WORDS).data}
    assert lines["Attack success"].line.color == ATTACK
    assert lines["Accuracy"].line.color == CLEAN
    assert len({line.line.dash for line in lines.values()}) == 3
    assert list(lines["Attack success"].x) == [0, 4]
    assert list(lines["Accuracy"].y) == [97.0, None]
    assert list(lines["Dissolved"].y) == [2.0, None]


@pytest.mark.parametrize(("last", "ticks"), [(0, [0]), (2, [0, 1, 2]), (60, None)])
def test_the_axis_counts_whole_steps(last: int, ticks: list[int] | None):
    figure = curves_figure([{"step": step} for step in range(last + 1)], CURVE_WORDS)
    assert (None if figure.layout.xaxis.tickvals is None else list(figure.layout.xaxis.tickvals)) == ticks


def test_the_suspect_is_marked_by_colour_and_by_label():
    figure = mask_sizes_figure([40.0, 8.5, None], NAMES, 1, SCAN_WORDS)
    bar = figure.data[0]
    assert [colour == ATTACK for colour in bar.marker.color] == [False, True, False]
    assert ["target" in text for text in bar.text] == [False, True, False]
    assert bar.text[2] == "none found"
    assert list(figure.layout.yaxis.ticktext) == list(NAMES)


def test_no_suspect_no_attack_colour():
    bar = mask_sizes_figure([40.0, 38.5, 41.0], NAMES, None, SCAN_WORDS).data[0]
    assert ATTACK not in bar.marker.color


def test_sizes_and_names_must_fit():
    with pytest.raises(ValueError, match="2 mask sizes for 3 classes"):
        mask_sizes_figure([1.0, 2.0], NAMES, None, SCAN_WORDS)
    with pytest.raises(ValueError, match="target 3"):
        mask_sizes_figure([1.0, 2.0, 3.0], NAMES, 3, SCAN_WORDS)
