"""The line around a cluster: one for each group. Its script runs in the browser, so it is tested there."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser

from dashboard.components.stage import ASSETS

pytestmark = pytest.mark.browser

Point = list[float]
REACH = 20


@pytest.fixture(scope="module")
def outlines(browser: Browser) -> Iterator[Callable[[list[Point]], list[list[Point]]]]:
    page = browser.new_page()
    page.goto("about:blank")
    page.evaluate(
        "async (code) => { const blob = new Blob([code], {type: 'text/javascript'});"
        "window.made = await import(URL.createObjectURL(blob)) }",
        (ASSETS / "outline.js").read_text(encoding="utf-8"),
    )
    yield lambda points: page.evaluate("([points, reach]) => window.made.outlines(points, reach)", [points, REACH])
    page.close()


def group(x: float, y: float, radius: float, count: int) -> list[Point]:
    turns = [(2.399 * k, radius * math.sqrt(k / count)) for k in range(count)]
    return [[x + far * math.cos(turn), y + far * math.sin(turn)] for turn, far in turns]


def middle(loop: list[Point]) -> tuple[float, float]:
    xs, ys = zip(*loop, strict=True)
    return (min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2


def test_groups_apart_have_a_line_each_the_largest_first(outlines) -> None:
    loops = outlines(group(400, 120, 30, 60) + group(100, 100, 40, 80))
    assert [middle(loop) for loop in loops] == [pytest.approx((100, 100), abs=4), pytest.approx((400, 120), abs=4)]


def test_points_close_together_are_one_group(outlines) -> None:
    assert len(outlines(group(100, 100, 30, 60) + group(100 + 60 + REACH, 100, 30, 60))) == 1


def test_the_line_keeps_its_distance_and_holds_all_points(outlines) -> None:
    (loop,) = outlines(group(100, 100, 40, 200))
    distances = [math.dist(point, (100, 100)) - 40 for point in loop]
    assert 0.6 * REACH < min(distances) <= max(distances) < 1.3 * REACH


def test_strays_have_no_line_and_neither_have_holes(outlines) -> None:
    ring = [[200 + 100 * math.cos(k / 20), 200 + 100 * math.sin(k / 20)] for k in range(126)]
    assert len(outlines([*ring, [500, 500]])) == 1


@pytest.mark.parametrize("points", [[], [[5, 5]], [[5, 5], [300, 300]]])
def test_no_group_no_line(outlines, points) -> None:
    assert outlines(points) == []
