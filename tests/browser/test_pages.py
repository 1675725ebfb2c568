"""Every page: it is there, it fits, it talks to nobody but its own server, and it changes its language in place."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from core.runs.record import Run
from tests.browser.visit import (
    HEIGHTS,
    Traffic,
    address,
    fits,
    run_in_address,
    settled,
    stage,
    wait_for_frames,
    wait_until_drawn,
    words,
)

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

TITLES = {
    "/": "story.title.read",
    "/purify": "app.tagline",
    "/examine": "examine.title",
    "/explore": "explore.title",
    "/fleet": "fleet.title",
    "/test-track": "stress.title",
    "/compare": "compare.title",
    "/runs": "runs.title",
    "/about": "about.title",
}


def test_every_page_fits_and_asks_no_other_host(visitor: Callable[..., Page], done_run: Run) -> None:
    """In Japanese, coming as to a phone and as to a desk by turns; ``test_accessibility`` walks the English pages."""
    page = visitor(width=390, height=HEIGHTS[390], locale="ja-JP")
    traffic = Traffic(page)
    for path, title in TITLES.items():
        page.goto(path)
        expect(page.get_by_role("heading", level=1, name=words(title, "ja"))).to_be_visible()
        expect(page.get_by_text(words("footer.privacy", "ja"))).to_be_attached()
        expect(page.locator("html")).to_have_attribute("lang", "ja")
        settled(page)
        fits(page)

    page.goto(address("/purify", run=done_run.id))
    wait_for_frames(page, done_run.frame_count)
    wait_until_drawn(page)
    settled(page)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.locator(".dz-table")).to_be_visible()
    expect(page.get_by_text(words("evidence.title", "ja"))).to_be_visible()
    expect(page.locator(".js-plotly-plot .barlayer")).to_be_attached()
    fits(page)

    assert len(traffic.asked) > 20
    assert traffic.elsewhere() == set()
    assert traffic.faults == []


def test_the_language_switch_keeps_page_and_run(page: Page, done_run: Run) -> None:
    page.goto(address("/purify", run=done_run.id))
    expect(page.get_by_text(words("outcome.title"))).to_be_visible()
    wait_until_drawn(page)
    settled(page)
    stage(page).evaluate("node => node.__mark = true")

    switch_to(page, "日本語")
    expect(page.get_by_text(words("outcome.title", "ja")).first).to_be_visible()
    settled(page)
    assert run_in_address(page) == done_run.id
    expect(stage(page)).to_have_attribute("data-run", done_run.id)
    assert stage(page).evaluate("node => node.__mark === true"), "the live view was taken down"

    page.get_by_role("link", name=words("nav.runs", "ja"), exact=True).click()
    expect(page.get_by_role("heading", level=1, name=words("runs.title", "ja"))).to_be_visible()
    switch_to(page, "EN")
    expect(page.get_by_role("heading", level=1, name=words("runs.title"))).to_be_visible()
    assert urlsplit(page.url).path == "/runs"
    expect(page.locator("html")).to_have_attribute("lang", "en")


def test_a_finger_closes_the_menu_of_a_phone_again(visitor: Callable[..., Page]) -> None:
    page = visitor(width=390, height=844, touch=True)
    page.goto("/examine")
    switch = page.locator(".st-key-language")
    expect(switch).to_be_visible()
    page.get_by_test_id("stExpandSidebarButton").tap()
    expect(switch).to_be_hidden()
    page.get_by_test_id("stSidebarCollapseButton").get_by_role("button").tap()
    expect(switch).to_be_visible()


def switch_to(page: Page, language: str) -> None:
    page.locator(".st-key-language").get_by_text(language, exact=True).click()
