"""The page that compares defences, as a visitor has it: the shipped comparison, in both languages, wide and narrow."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from playwright.sync_api import Page, expect

from core.defenses import COMPARED
from core.runs import queue
from core.runs.spec import Spec
from tests.browser.conftest import FEW
from tests.browser.visit import (
    RUN_PATIENCE,
    Server,
    Traffic,
    address,
    figure,
    not_too_wide,
    pictured,
    settled,
    words,
)

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]


@pytest.mark.parametrize(("language", "width"), [("en", 1440), ("ja", 390)])
def test_the_shipped_comparison_is_drawn_no_other_host_is_asked_and_a_run_opens_by_itself(
    visitor: Callable[..., Page], language: str, width: int
) -> None:
    page = visitor(width=width, height=900, locale="ja-JP" if language == "ja" else "en-GB")
    traffic = Traffic(page)
    page.goto(address("/compare", lang=language))
    expect(page.get_by_role("heading", level=1, name=words("compare.title", language))).to_be_visible()

    rows = page.locator(".dz-compare tbody tr")
    expect(rows).to_have_count(1 + len(COMPARED))
    settled(page)
    for defence in COMPARED:
        row = rows.filter(has_text=words(f"defence.{defence}", language))
        assert 0 <= figure(row.locator("td").nth(0)) <= 100
        assert figure(row.locator("td").nth(2)) > 50
    before, mcl = (figure(rows.nth(k).locator("td").nth(0)) for k in (0, 1))
    assert mcl < before - 50

    maps = page.locator(".dz-maps img")
    expect(maps).to_have_count(1 + len(COMPARED))
    pictured(maps)
    assert min(maps.evaluate_all("images => images.map((image) => image.naturalWidth)")) > 100
    expect(page.locator(".js-plotly-plot")).to_have_count(2)
    expect(page.locator(".js-plotly-plot .scatterlayer .trace").first).to_be_attached()
    not_too_wide(page)
    assert traffic.elsewhere() == set()

    page.locator(".st-key-open-nc").get_by_role("button").click()
    title = re.compile(re.escape(words("defence.nc", language)))
    expect(page.get_by_role("heading", level=1, name=title)).to_be_visible()
    expect(page.locator(".dz-table").first).to_be_visible()


def test_a_comparison_goes_on_without_the_page_and_is_found_again(visitor: Callable[..., Page], server: Server) -> None:
    few_steps = {"epochs": 1, "least": 20}  # what comes of them is not the question here
    order = Spec(victim="digits-badnets", images="digits", points=FEW, projection="pca", settings=few_steps)
    runs = queue.start([replace(order, defence=name) for name in ("ft", "nc")])
    try:
        page = visitor()
        page.goto(address("/compare", group=runs[0].data["group"]))
        expect(page.locator(".stProgress").first).to_be_visible()
        expect(page.locator(".st-key-stop")).to_be_visible()
        page.close()

        page = visitor()
        page.goto("/compare")  # another visit, which knows nothing of the first
        expect(page.locator(".stProgress").or_(page.locator(".dz-compare")).first).to_be_visible()
        page.goto(address("/compare", group=runs[0].data["group"]))
        expect(page.locator(".st-key-back")).to_be_visible(timeout=RUN_PATIENCE)
        assert [run.status for run in runs] == ["done", "done"]
        expect(page.locator(".dz-compare tbody tr")).to_have_count(3)
        expect(page.locator(".dz-maps img")).to_have_count(3)
    finally:
        queue.stop(runs)
