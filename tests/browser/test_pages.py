"""Every page, in both languages, wide and narrow: it is there, it fits, and it talks to nobody but its own server."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import ConsoleMessage, Page, expect

from core.runs.record import Run
from tests.browser.visit import address, run_in_address, stage, wait_for_frames, wait_until_drawn, words

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

HOME = {"127.0.0.1", "localhost"}
TITLES = {
    "/": "story.title.read",
    "/purify": "app.tagline",
    "/examine": "examine.title",
    "/compare": "compare.title",
    "/runs": "runs.title",
    "/about": "about.title",
}
# Streamlit looks for its server beside the address before it looks at the root: a 404 each, on every page but the first
STREAMLIT_ASKS = re.compile(
    r"404 .* http://127\.0\.0\.1:\d+/(purify|examine|compare|runs|about)/_stcore/(health|host-config)$"
)
TOO_WIDE = """() => {
  const boxes = [document.scrollingElement, document.querySelector('[data-testid=stMain]')];
  return boxes.map((box) => Math.max(0, box.scrollWidth - Math.min(box.clientWidth, innerWidth) - 1));
}"""


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("language", ["en", "ja"])
def test_every_page_fits(visitor: Callable[..., Page], done_run: Run, language: str, width: int) -> None:
    page = visitor(width=width, height=900 if width > 1000 else 844, locale="ja-JP" if language == "ja" else "en-GB")
    for path, title in TITLES.items():
        page.goto(path)
        expect(page.get_by_role("heading", level=1, name=words(title, language))).to_be_visible()
        expect(page.get_by_text(words("footer.privacy", language))).to_be_attached()
        expect(page.locator("html")).to_have_attribute("lang", language)
        assert page.evaluate(TOO_WIDE) == [0, 0], f"{path} scrolls sideways"

    page.goto(address("/purify", run=done_run.id))
    wait_for_frames(page, done_run.frame_count)
    wait_until_drawn(page)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.locator(".dz-table")).to_be_visible()
    assert page.evaluate(TOO_WIDE) == [0, 0], "the page of a run scrolls sideways"


def test_the_language_switch_keeps_page_and_run(page: Page, done_run: Run) -> None:
    page.goto(address("/purify", run=done_run.id))
    expect(page.get_by_text(words("outcome.title"))).to_be_visible()
    wait_until_drawn(page)
    page.get_by_test_id("stage").evaluate("node => node.__mark = true")

    switch_to(page, "日本語")
    expect(page.get_by_text(words("outcome.title", "ja"))).to_be_visible()
    assert run_in_address(page) == done_run.id
    expect(stage(page)).to_have_attribute("data-run", done_run.id)
    assert stage(page).evaluate("node => node.__mark === true"), "the live view was taken down"

    page.get_by_role("link", name=words("nav.runs", "ja"), exact=True).click()
    expect(page.get_by_role("heading", level=1, name=words("runs.title", "ja"))).to_be_visible()
    switch_to(page, "EN")
    expect(page.get_by_role("heading", level=1, name=words("runs.title"))).to_be_visible()
    assert urlsplit(page.url).path == "/runs"
    expect(page.locator("html")).to_have_attribute("lang", "en")


def test_no_other_host_is_asked(visitor: Callable[..., Page], done_run: Run) -> None:
    asked: list[str] = []
    faults: list[str] = []
    page = visitor()
    page.context.on("request", lambda request: asked.append(request.url))
    page.context.on("console", lambda line: faults.append(complaint(line)) if line.type == "error" else None)
    page.context.on("weberror", lambda error: faults.append(str(error.error)))
    page.on("websocket", lambda socket: asked.append(socket.url))

    for language in ("en", "ja"):
        for path, title in TITLES.items():
            page.goto(address(path, lang=language))
            expect(page.get_by_role("heading", level=1, name=words(title, language))).to_be_visible()
        page.goto(address("/purify", run=done_run.id, lang=language))
        wait_for_frames(page, done_run.frame_count)
        wait_until_drawn(page)
        expect(page.get_by_text(words("evidence.title", language))).to_be_visible()
        expect(page.locator(".js-plotly-plot .barlayer")).to_be_attached()

    elsewhere = {url for url in asked if urlsplit(url).scheme not in ("data", "blob")}
    elsewhere = {url for url in elsewhere if urlsplit(url).hostname not in HOME}
    assert len(asked) > 20
    assert not elsewhere
    assert [fault for fault in faults if not STREAMLIT_ASKS.search(fault)] == []


def switch_to(page: Page, language: str) -> None:
    page.locator(".st-key-language").get_by_text(language, exact=True).click()


def complaint(line: ConsoleMessage) -> str:
    """A line of the browser's console with the address that it is about."""
    return f"{line.text} {line.location['url']}"
