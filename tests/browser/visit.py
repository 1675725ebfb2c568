"""What a visitor does and reads on the pages, in the words of the catalogues."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import ConsoleMessage, Locator, Page, TimeoutError, expect

from core.runs.record import Run
from core.runs.record import open as open_run
from dashboard.i18n import catalogue

PATIENCE = 60_000  # milliseconds for a page to do what was asked
RUN_PATIENCE = 420_000  # milliseconds for a run: half a minute on two quiet cores, but test machines are rarely quiet

HEIGHTS = {1440: 900, 390: 844}  # of the windows, by their width
HOME = {"127.0.0.1", "localhost"}
TOO_WIDE = """() => {
  const boxes = [document.scrollingElement, document.querySelector('[data-testid=stMain]')];
  return boxes.map((box) => Math.max(0, box.scrollWidth - Math.min(box.clientWidth, innerWidth) - 1));
}"""
AT_REST = """() => document.querySelector("[data-testid=stApp]")?.dataset.testScriptState === "notRunning"
  && !document.querySelector("[data-stale=true], [data-testid=stSkeleton]")"""
# The colours have changed over once no transition is under way.
IN_COLOURS = """dark => {
  const [r, g, b] = getComputedStyle(document.querySelector(".stApp")).backgroundColor.match(/[\\d.]+/g).map(Number);
  return (r + g + b < 382) === dark && !document.getAnimations().some((one) => one instanceof CSSTransition);
}"""
# Streamlit looks for its server beside the address before it looks at the root: a 404 each, on every page but the first
STREAMLIT_ASKS = re.compile(
    r"404 .* http://127\.0\.0\.1:\d+/(purify|examine|explore|fleet|data-room|test-track|compare|watch|runs|about)/_stcore/(health|host-config)$"
)


@dataclass(frozen=True)
class Server:
    """The dashboard under test: its address, its home (``DISSOLVE_HOME``) and its log."""

    url: str
    home: Path
    log: Path


class Traffic:
    """What a page asks for and what its browser complains of, from now on."""

    def __init__(self, page: Page) -> None:
        self.asked: list[str] = []
        self.faults: list[str] = []
        page.context.on("request", lambda request: self.asked.append(request.url))
        page.context.on("console", self._hear)
        page.context.on("weberror", lambda error: self.faults.append(str(error.error)))
        page.on("websocket", lambda socket: self.asked.append(socket.url))

    def _hear(self, line: ConsoleMessage) -> None:
        if line.type == "error" and not STREAMLIT_ASKS.search(said := f"{line.text} {line.location['url']}"):
            self.faults.append(said)

    def elsewhere(self) -> set[str]:
        """The addresses that were asked for at other hosts than this one."""
        real = {url for url in self.asked if urlsplit(url).scheme not in ("data", "blob")}
        return {url for url in real if urlsplit(url).hostname not in HOME}


def words(key: str, language: str = "en") -> str:
    """A sentence of the dashboard."""
    return catalogue(language)[key]


def address(path: str, **query: str | None) -> str:
    """A path with those of the query's parts that are given."""
    given = "&".join(f"{name}={value}" for name, value in query.items() if value)
    return f"{path}?{given}" if given else path


def stage(page: Page) -> Locator:
    """The live view."""
    return page.get_by_test_id("stage")


def run_in_address(page: Page) -> str | None:
    """The run that the page's address names."""
    return parse_qs(urlsplit(page.url).query).get("run", [None])[0]


def frames(page: Page) -> int:
    """How many frames the live view holds."""
    return int(stage(page).get_attribute("data-frames") or 0)


def frame(page: Page) -> int:
    """The frame that the live view shows, from 0."""
    return int(stage(page).get_attribute("data-frame") or -1)


def wait_for_frames(page: Page, count: int) -> int:
    """Waits until the live view holds so many frames; returns how many it has then."""
    page.wait_for_function(
        "count => Number(document.querySelector('[data-testid=stage]')?.dataset.frames) >= count",
        arg=count,
        timeout=RUN_PATIENCE,
    )
    return frames(page)


def wait_for_status(page: Page, status: str, language: str = "en") -> None:
    """Waits until the badge beside the title says so: "done", "lost" ..., and the rest of the page does too."""
    # not exact: the name of the badge's icon stands before the word
    badge = page.locator(".st-key-head").get_by_text(words(f"status.{status}", language))
    expect(badge.first).to_be_visible(timeout=RUN_PATIENCE)
    settled(page)


def wait_until_drawn(page: Page) -> None:
    """Waits until plotly.js has drawn the live view's plots."""
    expect(stage(page)).to_have_attribute("data-ready", "true")


def mark(page: Page) -> None:
    """Leaves a mark on the map's node and on the one that plotly.js draws into."""
    page.evaluate(
        "() => { for (const id of ['stage', 'map']) document.querySelector(`[data-testid=${id}]`).__mark = id }"
    )


def marked(page: Page) -> bool:
    """Whether these nodes are still those that were marked."""
    return page.evaluate(
        "() => ['stage', 'map'].every((id) => document.querySelector(`[data-testid=${id}]`).__mark === id)"
    )


def settled(page: Page) -> None:
    """Waits until the page is drawn to its end: till then, what stood there before stands beside what is new.

    After a press or a new address, wait for something new first: a page that has not begun yet is at rest, too. A page
    that watches a run is seldom at rest.
    """
    page.wait_for_function(AT_REST)


def in_colours(page: Page, theme: Literal["light", "dark"]) -> None:
    """Shows the page in these colours, and waits until it wears them."""
    page.emulate_media(color_scheme=theme)
    page.wait_for_function(IN_COLOURS, arg=theme == "dark")


def figure(cell: Locator) -> float:
    """The number in a cell such as "0.3 %"."""
    found = re.search(r"-?\d+(\.\d+)?", cell.inner_text())
    assert found, f"no figure in {cell.inner_text()!r}"
    return float(found.group())


def started(page: Page) -> Run:
    """Presses "Start" on Purify; the run that this begins."""
    page.get_by_role("button", name=words("setup.start")).click()
    page.wait_for_url("**run=*")
    run_id = run_in_address(page)
    assert run_id is not None
    return open_run(run_id)


def assert_cured(page: Page, run: Run) -> None:
    """The figures on the page are those of the record, and they are those of a cured model."""
    row = page.locator(".dz-table tbody tr")
    attack, clean = row.nth(0), row.nth(1)
    asr_before, asr = figure(attack.locator(".was")), figure(attack.locator(".big"))
    ba_before, ba = figure(clean.locator(".was")), figure(clean.locator(".big"))
    assert asr_before > 90
    assert asr < 5
    assert ba_before - ba <= 3
    assert run.status == "done"
    result = run.data["result"]
    assert [asr, ba] == pytest.approx([result["asr_after"], result["ba_after"]], abs=0.051)
    assert (run.folder / "model.safetensors").stat().st_size > 0


def pictured(images: Locator) -> None:
    """Waits until each of these images has come, and is a picture."""
    for image in images.all():
        expect(image).to_have_js_property("complete", True)
        expect(image).not_to_have_js_property("naturalWidth", 0)


def fits(page: Page) -> None:
    """Nothing scrolls sideways, neither as the window is nor at the other width, which it then keeps."""
    was = page.viewport_size
    width = next(width for width in HEIGHTS if was is None or width != was["width"])
    not_too_wide(page)
    page.set_viewport_size({"width": width, "height": HEIGHTS[width]})
    not_too_wide(page)


def not_too_wide(page: Page) -> None:
    """Nothing scrolls sideways, once charts have taken the width that they are given."""
    try:
        page.wait_for_function(f"() => String(({TOO_WIDE})()) === '0,0'")
    except TimeoutError:
        pytest.fail(f"{page.url} scrolls sideways by {page.evaluate(TOO_WIDE)} pixels at {page.viewport_size}")
