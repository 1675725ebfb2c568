"""Fleet, Watch and Data room on a fresh install: each opens on its recording, with the figures of its files."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from core import paths
from core.watch.alerts import kept
from core.watch.log import entries
from core.watch.place import ALERTS, LOG
from tests.browser.visit import HEIGHTS, Server, fits, settled, words

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

BOTH = pytest.mark.parametrize(("language", "width"), [("en", 1440), ("ja", 390)])
Visitor = Callable[..., Page]


@pytest.fixture(autouse=True)
def fresh(server: Server) -> Iterator[None]:
    """Whatever other tests left of fleets and watches stands aside."""
    aside = {server.home / name: server.home / f"{name}.aside" for name in ("fleets", "watch")}
    moved = {place: away for place, away in aside.items() if place.exists()}
    for place, away in moved.items():
        place.rename(away)
    yield
    for place, away in moved.items():
        away.rename(place)


def visit(visitor: Visitor, path: str, language: str, width: int) -> Page:
    page = visitor(width=width, height=HEIGHTS[width], locale="ja-JP" if language == "ja" else "en-GB")
    page.goto(path)
    banner = page.locator(".st-key-recorded")
    expect(banner).to_be_visible()
    settled(page)
    expect(banner).to_contain_text(words("status.recording", language))
    return page


def read(*parts: str) -> Any:
    return json.loads(paths.RECORDED.joinpath(*parts).read_bytes())


def pattern(key: str, language: str, **facts: object) -> re.Pattern[str]:
    """A sentence with some of its figures; the others may be anything."""
    text = words(key, language)
    for name, value in facts.items():
        text = text.replace(f"{{{name}}}", str(value))
    parts = re.split(r"\{\w+\}", text)
    return re.compile(".*".join(re.escape(part) for part in parts))


def reads(place: Page | Locator, figures: list[str]) -> None:
    """These figures stand there, in this order."""
    expect(place.get_by_test_id("stMetricValue")).to_have_text(figures)


@BOTH
def test_the_fleet(visitor: Visitor, language: str, width: int) -> None:
    page = visit(visitor, "/fleet", language, width)
    models, backdoored = read("fleet", "fleet.json")["models"], read("fleet", "recording.json")["facts"]["backdoored"]
    signs = [row["file"] for row in models if row["verdict"] in ("strong", "some")]
    counted = [sum(row["verdict"] == verdict for row in models) for verdict in ("strong", "some", "none")]
    reads(page, [str(len(models)), *map(str, counted), "0"])
    said = {"total": len(models), "hit": len(set(signs) & set(backdoored)), "of": len(backdoored)}
    expect(page.locator(".st-key-recorded")).to_contain_text(pattern("fleet.recorded", language, **said))
    first = models[0]
    expect(page.get_by_text(first["file"], exact=True).first).to_be_attached()
    expect(page.get_by_text(f"{first['asr_before']:.1f}").first).to_be_attached()
    fits(page)
    page.get_by_text(words("fleet.start", language), exact=True).click()
    expect(page.locator(".st-key-fleet_start button")).to_be_disabled()  # nothing is named yet


@BOTH
def test_the_watch(visitor: Visitor, language: str, width: int) -> None:
    page = visit(visitor, "/watch", language, width)
    facts = read("watch", "recording.json")["facts"]
    for which in ("victim", "purified"):
        folder = paths.RECORDED / "watch" / which
        images = [entry for entry in entries(folder / LOG) if entry["kind"] == "image"]
        assert len(images) == len(facts["parts"]) * facts["part"]
        label = dict(zip((entry["file"] for entry in images), facts["labels"], strict=True))
        with_it = [entry for entry in images if entry["file"] in facts["triggered"]]
        fooled = sum(entry["answer"] == facts["target"] for entry in with_it)
        right = sum(entry["answer"] == label[entry["file"]] for entry in with_it)
        of = words("watch.recorded.of", language)
        told = [of.format(count=count, total=len(with_it)) for count in (fooled, right)]
        reads(page.locator(f".st-key-watch-{which}"), told)
        held = sum(entry["flagged"] for entry in with_it)
        expect(page.locator(f".st-key-watch-{which}")).to_contain_text(
            pattern("watch.recorded.caught", language, caught=held, total=len(with_it))
        )
    expect(page.locator(".js-plotly-plot")).to_be_visible()
    expect(page.get_by_text(words("watch.acknowledge", language))).to_have_count(0)
    rung = kept(paths.RECORDED / "watch" / "victim" / ALERTS).values()
    assert {one.alert.rule for one in rung} >= {"alike", "drift"}
    fits(page)

    page.get_by_role("radio", name=words("watch.recorded.purified", language)).click()
    expect(
        page.get_by_text(pattern("watch.model_text", language, which=words("watch.model.purified", language)))
    ).to_be_visible()


@BOTH
def test_the_data_room(visitor: Visitor, language: str, width: int) -> None:
    page = visit(visitor, "/data-room", language, width)
    result = read("data-room", "data_room.json")
    for way, one in result["then"].items():
        told = [words("unit.percent", language).format(value=f"{one[name]:.1f}") for name in ("asr", "ba")]
        reads(page.locator(f".st-key-way-{way}"), told)
    found = {"flagged": f"{result['flagged']:,}", "images": f"{result['images']:,}"}
    expect(page.get_by_text(pattern("data_room.found", language, **found))).to_be_visible()
    expect(page.locator(".js-plotly-plot")).to_have_count(2)  # the map and the scores
    with page.expect_download() as taken:
        page.get_by_role("button", name=words("data_room.download", language)).click()
    assert Path(taken.value.path()).read_bytes() == (paths.RECORDED / "data-room" / "cleaned.csv").read_bytes()
    first = page.locator(".dzp button").first
    was = first.get_attribute("aria-pressed")
    first.click()
    expect(first).to_have_attribute("aria-pressed", "false" if was == "true" else "true")
    reads(page.locator(".st-key-review_figures").get_by_test_id("stMetric").first, [f"{result['flagged'] - 1:,}"])
    page.get_by_role("button", name=words("data_room.review.undo", language)).click()
    expect(first).to_have_attribute("aria-pressed", "true")
    fits(page)
