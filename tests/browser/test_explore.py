"""Exploring a shipped recording: lasso, grid and counts, colours, time, both maps, neighbours, what is taken away."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from core.runs.record import open as open_run
from tests.browser.visit import Traffic, address, fits, settled, words

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

RECORDING = "signs-badnets"
RUN = open_run(RECORDING)
SAMPLES = RUN.samples
assert SAMPLES is not None
RINGS = 2  # in the legend: with the trigger, misled and not
POINTS, TRIGGERED = len(SAMPLES.label), int(SAMPLES.triggered.sum())
RIGHT = [(0.62, 0.05), (0.99, 0.05), (0.99, 0.95), (0.62, 0.95)]  # of the map: where the trigger cluster stands apart
COMPUTED = 180_000  # milliseconds for the process beside the page


def test_a_walk_through_feature_space(visitor: Callable[..., Page], tmp_path: Path) -> None:
    """In Japanese; what is computed is asked for in English."""
    page = visitor(locale="ja-JP")
    traffic = Traffic(page)
    enter(page, "ja")
    expect(part(page, "empty")).to_be_visible()

    # lasso: count, grid and legend say the same
    lasso(page, "a", RIGHT)
    count = selected(page)
    assert 200 < count < POINTS / 2
    expect(part(page, "count")).to_have_text(f"{count:,} / {POINTS:,}")
    assert counted(page) == count
    first = part(page, "gallery").locator("button").first
    expect(first).to_have_attribute("aria-label", re.compile(r".+"))
    assert 0 < part(page, "gallery").locator("button").count() < 120  # only what is in sight

    # a picture beside the pointer, wherever there is a point
    box = part(page, "map-a").bounding_box()
    assert box is not None
    for step in range(60):
        page.mouse.move(box["x"] + box["width"] * (0.2 + 0.01 * step), box["y"] + box["height"] * 0.55)
        if part(page, "tip").is_visible():
            break
    expect(part(page, "tip")).to_contain_text("%")
    expect(part(page, "tip").locator("span")).to_have_css("background-image", re.compile("blob:"))

    # the legend and the keyboard
    page.keyboard.press("Escape")
    expect(room(page)).to_have_attribute("data-selected", "0")
    part(page, "legend").locator("button").first.focus()
    page.keyboard.press("Enter")
    expect(room(page)).to_have_attribute("data-selected", str(int((SAMPLES.label == 0).sum())))  # type: ignore[union-attr]
    find_triggered(page)

    # colours, time, both maps with the same selection
    part(page, "colour").select_option("confidence")
    expect(part(page, "scale")).to_be_visible()
    part(page, "colour").select_option("answer")
    expect(part(page, "scale")).to_be_hidden()
    frames = int(room(page).get_attribute("data-frames") or 0)
    part(page, "slider").focus()
    page.keyboard.press("End")
    expect(room(page)).to_have_attribute("data-frame", str(frames - 1))
    expect(part(page, "step")).to_contain_text(str(frames))
    part(page, "both").click()
    expect(part(page, "map-b")).to_be_visible()
    assert selected(page) == TRIGGERED

    # one image: its twin, and its neighbours in both models once they are computed
    part(page, "gallery").locator("button").nth(1).click()
    expect(part(page, "detail")).to_contain_text(words("explore.room.with_trigger", "ja"))
    neighbours = part(page, "near-before").locator("button")
    expect(neighbours).to_have_count(12, timeout=COMPUTED)
    expect(part(page, "near-after").locator("button")).to_have_count(12)
    part(page, "colour").select_option("ss")
    expect(part(page, "scale")).to_contain_text("%")

    # what can be taken away
    rows = list(csv.DictReader(taken(page, "csv_selected", tmp_path).read_text("utf-8-sig").splitlines()))
    assert len(rows) == TRIGGERED
    assert {row["triggered"] for row in rows} == {"1"}
    assert len(taken(page, "csv_all", tmp_path).read_text("utf-8-sig").splitlines()) == POINTS + 1
    assert taken(page, "svg", tmp_path).read_text("utf-8").count("<path") == 2 * POINTS + RINGS
    assert taken(page, "png", tmp_path).read_bytes().startswith(b"\x89PNG")

    assert traffic.elsewhere() == set()
    fits(page)


def test_saliency_and_other_maps_are_computed_when_asked_for(page: Page, tmp_path: Path) -> None:
    enter(page)
    expect(part(page, "trust-a")).to_contain_text(re.compile(r"0\.9\d"))  # the live map's
    find_triggered(page)
    part(page, "gallery").locator("button").first.click()
    expect(part(page, "detail")).to_contain_text(words("explore.room.with_trigger"))
    expect(part(page, "near-before").locator("button")).to_have_count(12, timeout=COMPUTED)
    part(page, "map").select_option("pca-3")
    expect(room(page)).to_have_attribute("data-map", "pca-3", timeout=COMPUTED)
    assert selected(page) == TRIGGERED
    lasso(page, "a", [(0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.1, 0.9)])
    assert selected(page) > POINTS / 2
    part(page, "saliency-ask").click()
    expect(part(page, "saliency").locator("canvas")).to_have_count(4, timeout=COMPUTED)

    # a settled map, drawn as asked and shown with its trustworthiness
    page.get_by_role("button", name=words("settled.open")).click(timeout=COMPUTED)  # once the features are there
    page.get_by_role("radio", name=words("settled.metric.cosine")).click()
    page.get_by_role("button", name=words("settled.draw")).click()
    expect(page.get_by_role("button", name=words("settled.draw"))).to_be_hidden()
    expect(part(page, "jobs")).to_contain_text(words("explore.job.settled_load"))
    expect(room(page)).to_have_attribute("data-map", re.compile("^settled:.*metric=cosine"), timeout=2 * COMPUTED)
    part(page, "both").click()
    for name in ("a", "b"):
        expect(part(page, f"trust-{name}")).to_contain_text(re.compile(r"0\.9\d.*0\.9\d"))
    rows = list(csv.DictReader(taken(page, "csv_all", tmp_path).read_text("utf-8-sig").splitlines()))
    assert len({row[next(name for name in row if name.endswith("after_y"))] for row in rows}) > POINTS / 2


@pytest.mark.parametrize("language", ["en", "ja"])
def test_a_picture_of_ones_own_is_placed_without_and_with_the_trigger(
    visitor: Callable[..., Page], language: str, tmp_path: Path
) -> None:
    """A picture of the set, given as a file: what is said of it is what the record says."""
    examples = RUN.examples()
    assert examples is not None
    file = tmp_path / "my sign.png"
    Image.fromarray(examples.clean[0]).save(file)
    marked = int(examples.sample[0])
    before, after = RUN.frame(0), RUN.frame(RUN.frame_count - 1)
    page = visitor(locale="ja-JP" if language == "ja" else "en-GB")
    page.goto(address("/explore", run=RECORDING))
    expect(room(page)).to_have_attribute("data-ready", "true")
    page.get_by_role("button", name=words("own.open", language)).click()
    page.locator("input[type=file]").set_input_files(file, timeout=COMPUTED)  # once the features are there

    expect(part(page, "own")).to_be_visible(timeout=3 * COMPUTED)
    expect(part(page, "own")).to_contain_text("my sign.png")
    expect(room(page)).to_have_attribute("data-map", re.compile("^settled:"))
    expect(part(page, "map-b")).to_be_visible()
    told = part(page, "own-pair").locator("li")
    for variant, point in enumerate((int(SAMPLES.twin[marked]), marked)):  # type: ignore[union-attr]
        for frame in (before, after):
            expect(told.nth(variant)).to_contain_text(answer(frame.answers[point], language))
    expect(told.nth(1).locator("[data-right=false]")).to_have_count(1)
    for when in ("before", "after"):
        expect(part(page, f"own-near-{when}").locator("button")).to_have_count(12)
    assert taken(page, "svg", tmp_path).read_text("utf-8").count("<image") == 4
    part(page, "own-trigger").uncheck()
    expect(told.nth(1)).to_be_hidden()
    assert taken(page, "svg", tmp_path).read_text("utf-8").count("<image") == 2

    # one of the set, and one that is none: by the process that is there
    part(page, "find").select_option("triggered")
    part(page, "gallery").locator("button").first.click()
    part(page, "own-ask").click()
    expect(part(page, "own")).not_to_contain_text("my sign.png", timeout=COMPUTED)
    part(page, "own-close").click()
    expect(part(page, "own")).to_be_hidden()
    assert "<image" not in taken(page, "svg", tmp_path).read_text("utf-8")
    junk = tmp_path / "no picture.png"
    junk.write_bytes(b"not a picture")
    page.get_by_role("button", name=words("own.open", language)).click()
    page.locator("input[type=file]").set_input_files(junk)
    expect(part(page, "jobs")).to_contain_text("no picture.png", timeout=COMPUTED)


def enter(page: Page, language: str = "en") -> None:
    page.goto(address("/explore", run=RECORDING))
    expect(page.get_by_role("heading", level=1, name=words("explore.title", language))).to_be_visible()
    expect(room(page)).to_have_attribute("data-ready", "true")
    settled(page)


def find_triggered(page: Page) -> None:
    part(page, "find").select_option("triggered")
    expect(room(page)).to_have_attribute("data-selected", str(TRIGGERED))


def room(page: Page) -> Locator:
    return page.get_by_test_id("explore")


def part(page: Page, name: str) -> Locator:
    return page.get_by_test_id(f"explore-{name}")


def selected(page: Page) -> int:
    return int(room(page).get_attribute("data-selected") or -1)


def counted(page: Page) -> int:
    """The sum of the legend's counts of the selection."""
    return sum(int(text.split("/")[0]) for text in part(page, "legend").locator("b").all_inner_texts())


def answer(number: int, language: str) -> str:
    """The name of a class."""
    return words(f"class.signs.{RUN.data['classes'][number]}", language)


def lasso(page: Page, name: str, corners: list[tuple[float, float]]) -> None:
    """Draws around a part of a map, given in shares of its width and height."""
    box = part(page, f"map-{name}").bounding_box()
    assert box is not None
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in corners]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=3)
    page.mouse.up()
    expect(room(page)).not_to_have_attribute("data-selected", "0")


def taken(page: Page, name: str, folder: Path) -> Path:
    part(page, "export").click()
    with page.expect_download() as waiting:
        part(page, name).click()
    path = folder / waiting.value.suggested_filename
    waiting.value.save_as(path)
    return path
