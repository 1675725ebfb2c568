from __future__ import annotations

import re

import numpy as np
import pytest

from core.compute.intervals import Interval
from core.report import charts


def circles(svg: str) -> list[tuple[float, str]]:
    return [(float(x), fill) for x, fill in re.findall(r'<circle cx="([\d.]+)"[^>]*fill="([^"]+)"', svg)]


def test_before_is_a_ring_and_after_a_dot_at_their_places() -> None:
    svg = charts.change(100, 0, (Interval(99, 100), Interval(0, 1)), charts.ATTACK, "attack: 100 % → 0 %")
    (before, ring), (after, dot) = circles(svg)
    assert before > after
    assert (ring, dot) == ("#fff", charts.ATTACK)
    assert svg.count("<path") == 2
    assert "100 % → 0 %" in svg


def test_what_was_not_measured_is_not_drawn() -> None:
    svg = charts.change(50, None, (None, None), charts.CLEAN, "")
    assert len(circles(svg)) == 1
    assert "<path" not in svg


def heights(svg: str) -> list[tuple[float, str]]:
    return [(float(h), fill) for h, fill in re.findall(r'height="([\d.]+)" fill="([^"]+)"', svg)]


def test_bars_are_as_high_as_the_sizes_and_the_suspect_stands_out() -> None:
    found = heights(charts.bars([40.0, 10.0, None, 20.0], 1, ""))
    assert [colour for _, colour in found] == [charts.CLEAN, charts.ATTACK, charts.PALE, charts.CLEAN]
    assert found[0][0] == pytest.approx(4 * found[1][0]) == pytest.approx(2 * found[3][0])


@pytest.mark.parametrize("sizes", [[None, None], [float("nan"), 0.0], [0.0, 0.0]])
def test_odd_sizes_make_a_chart_all_the_same(sizes: list[float | None]) -> None:
    assert len(heights(charts.bars(sizes, 0, ""))) == 2


def test_of_very_many_classes_the_smallest_are_shown_and_the_suspect_always() -> None:
    sizes: list[float | None] = [float(k + 1) for k in range(1000)]
    found = heights(charts.bars(sizes, 999, ""))
    assert len(found) == charts.MAX_BARS + 1
    assert found[-1][1] == charts.ATTACK


def drawn(svg: str) -> tuple[int, int]:
    """How many dots and how many rings there are."""
    return svg.count("h0"), svg.count("0 1 0 -")


def places(svg: str) -> np.ndarray:
    return np.array([(int(x), int(y)) for x, y in re.findall(r"M(-?\d+) (-?\d+)h0", svg)])


def test_a_map_has_a_dot_or_a_ring_for_every_point_inside_its_frame() -> None:
    coords = np.random.default_rng(0).normal(size=(50, 2)) * 1000
    triggered = np.arange(50) % 5 == 0
    svg = charts.feature_map(coords, triggered, triggered, charts.bounds(coords), "")
    assert drawn(svg) == (40, 10)
    assert (places(svg) > 0).all()
    assert (places(svg) < charts.MAP).all()


def test_a_ring_is_in_the_colour_of_the_attack_only_where_the_trigger_misleads() -> None:
    coords = np.random.default_rng(0).normal(size=(50, 2))
    triggered, misled = np.arange(50) % 2 == 0, np.arange(50) % 5 == 0  # 25 with the trigger, 5 of them misled
    svg = charts.feature_map(coords, triggered, misled, charts.bounds(coords), "")
    rings = {stroke: path.count("0 1 0 -") for path, stroke in re.findall(r'd="([^"]*)" stroke="([^"]*)"', svg)}
    assert rings == {charts.ATTACK: 5, charts.CLEAN: 20}
    assert drawn(svg) == (25, 25)


def test_maps_in_one_box_keep_their_scale_and_y_points_up() -> None:
    small, large = np.array([[0.0, 0.0], [1.0, 1.0]]), np.array([[0.0, 0.0], [10.0, 10.0]])
    box, clean = charts.bounds(small, large), np.zeros(2, bool)
    near, far = (np.ptp(places(charts.feature_map(coords, clean, clean, box, "")), axis=0) for coords in (small, large))
    assert far == pytest.approx(10 * near, abs=6)
    low, high = places(charts.feature_map(large, clean, clean, box, ""))
    assert high[0] > low[0]
    assert high[1] < low[1]


def test_two_thousand_points_are_small_and_twenty_thousand_bearable() -> None:
    coords = np.random.default_rng(0).normal(size=(20_000, 2))
    triggered = np.arange(20_000) % 4 == 0
    box = charts.bounds(coords)
    assert len(charts.feature_map(coords[:2000], triggered[:2000], triggered[:2000], box, "")) < 50_000
    assert len(charts.feature_map(coords, triggered, ~triggered, box, "")) < 500_000


def test_points_that_are_nowhere_do_not_spoil_the_others() -> None:
    coords = np.array([[0.0, 0.0], [np.nan, 1.0], [1.0, 1.0], [np.inf, 0.0]])
    svg = charts.feature_map(coords, *np.zeros((2, 4), bool), charts.bounds(coords), "")
    assert ((places(svg)[[0, 2]] > 0) & (places(svg)[[0, 2]] < charts.MAP)).all()
    assert charts.bounds(np.full((3, 2), np.nan))[1] == 1.0


def test_three_dimensions_are_seen_from_their_widest_side() -> None:
    rng = np.random.default_rng(0)
    coords = rng.normal(size=(200, 3)) * (0.1, 5.0, 20.0)
    turned = coords @ charts.facing(coords)
    assert np.std(turned, axis=0) == pytest.approx(np.std(coords, axis=0)[[2, 1, 0]], rel=0.05)
    assert (charts.facing(coords[:, :2]) == np.eye(2)).all()
