"""Every page under axe-core: no fault that it calls serious or critical, and words in figures that can be read.

The same walk looks whether a page fits its window, and whom it talks to.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser, Page, expect

from core import paths, report, victims
from core.runs.record import Run
from tests.browser.visit import HEIGHTS, PATIENCE, Server, Traffic, address, fits, in_colours, settled, words

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

RECORDING = victims.DEFAULT
WIDE, PHONE = ({"width": width, "height": HEIGHTS[width]} for width in (1440, 390))
SERIOUS = {"serious", "critical"}
STAGE = "[data-testid=stage][data-ready=true]"
SCENE = "[data-testid=scene]"


class Stop(NamedTuple):
    """A page to look at: where it is, what there is once all of it is drawn, and its title where that is a sentence."""

    address: str
    drawn: str
    title: str = ""
    language: str = "en"


RUN_SHOWN = f"{STAGE}, .dz-table, .dz-next, .stPlotlyChart .barlayer"
STOPS = {
    "story: read": Stop("/", SCENE, "story.title.read"),
    "story: stick": Stop("/?step=2", SCENE, "story.title.stick"),
    "story: why": Stop("/?step=3", STAGE, "story.title.why"),
    "story: purify": Stop(address("/", step="4", run=RECORDING), STAGE, "story.title.purify"),
    "story: cured": Stop("/?step=5", SCENE, "story.title.cured"),
    "story: next": Stop("/?step=6", ".dz-do", "story.title.next"),
    "purify": Stop("/purify", STAGE, "app.tagline"),
    "purify, a recording": Stop(address("/purify", run=RECORDING, lang="ja"), RUN_SHOWN, language="ja"),
    "examine": Stop("/examine", "[data-testid=stFileUploader]", "examine.title"),
    "examine, a finished run": Stop(address("/examine", run=RECORDING), RUN_SHOWN),
    "explore": Stop(address("/explore", run=RECORDING), "[data-testid=explore][data-ready=true]", "explore.title"),
    "fleet": Stop("/fleet", ".st-key-recorded, [data-testid=stDataFrame]", "fleet.title"),
    "test track": Stop(address("/test-track", run=RECORDING), ".st-key-heat .js-plotly-plot", "stress.title"),
    "data room": Stop("/data-room", ".st-key-recorded, .js-plotly-plot", "data_room.title"),
    "watch": Stop("/watch", ".st-key-recorded, .js-plotly-plot", "watch.title"),
    "compare": Stop("/compare", ".dz-compare, .dz-maps, .stPlotlyChart .scatterlayer", "compare.title"),
    "runs": Stop("/runs", ".dz-cell", "runs.title"),
    "about": Stop("/about?lang=ja", ".st-key-prose", "about.title", "ja"),
}
# Colours do not depend on the width of the window, nor structure on the colours: each is looked at once for each.
ALL, COLOURS, STRUCTURE = (
    {"resultTypes": ["violations"]},
    {"resultTypes": ["violations"], "runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}},
    {"resultTypes": ["violations"], "rules": {"color-contrast": {"enabled": False}}},
)
# axe leaves the words of drawings out: WCAG's formula on every one that is seen, against the page behind it.
PALE = """() => {
  const seen = (colour) => colour.match(/[\\d.]+/g).slice(0, 3).map((part) => {
    const share = part / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  }).reduce((sum, part, k) => sum + part * [0.2126, 0.7152, 0.0722][k], 0);
  const page = document.querySelector(".stApp") || document.querySelector("main");
  const ground = seen(getComputedStyle(page).backgroundColor);
  return [...document.querySelectorAll("svg text")].filter((node) => node.textContent.trim() && node.checkVisibility())
    .map((node) => {
      const [low, high] = [seen(getComputedStyle(node).fill), ground].sort((a, b) => a - b);
      return [(high + 0.05) / (low + 0.05), node.textContent];
    }).filter(([contrast]) => contrast < 4.5).map(([contrast, said]) => `${said}: ${contrast.toFixed(2)}`);
}"""


@pytest.fixture(scope="module")
def walk(browser: Browser, server: Server) -> Iterator[tuple[Page, Traffic]]:
    """One page for the whole walk, in which nothing moves, and what it asks for."""
    context = browser.new_context(
        base_url=server.url, viewport=WIDE, locale="en-GB", timezone_id="UTC", reduced_motion="reduce"
    )
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    yield page, Traffic(page)
    context.close()


@pytest.mark.parametrize("name", STOPS)
def test_no_serious_fault(walk: tuple[Page, Traffic], name: str) -> None:
    (page, traffic), stop = walk, STOPS[name]
    page.goto("about:blank")  # what the last page had is not drawn again at another size
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(WIDE)
    page.goto(stop.address)
    for part in stop.drawn.split(", "):
        expect(page.locator(part).first).to_be_attached()
    title = {"name": words(stop.title, stop.language)} if stop.title else {}
    expect(page.get_by_role("heading", level=1, **title)).to_be_visible()
    expect(page.get_by_text(words("footer.privacy", stop.language))).to_be_attached()
    expect(page.locator("html")).to_have_attribute("lang", stop.language)
    if name == "explore":
        choose_an_image(page)
    settled(page)

    found = faults(page, ALL) + pale(page)
    in_colours(page, "dark")
    found += [f"dark: {fault}" for fault in faults(page, COLOURS) + pale(page)]
    fits(page)
    found += [f"phone: {fault}" for fault in faults(page, STRUCTURE)]
    assert not found, f"{name}:\n" + "\n".join(found)
    assert traffic.elsewhere() == set()
    assert traffic.faults == []


@pytest.mark.parametrize("language", ["en", "ja"])
def test_no_serious_fault_in_the_report(browser: Browser, tmp_path: Path, language: str) -> None:
    path = report.write(Run(paths.RECORDINGS / RECORDING), language, tmp_path)
    context = browser.new_context(viewport=WIDE, offline=True)
    page = context.new_page()
    page.goto(path.as_uri())
    found = faults(page, ALL) + pale(page)
    page.set_viewport_size(PHONE)
    found += [f"phone: {fault}" for fault in faults(page, STRUCTURE)]
    context.close()
    assert not found, "\n".join(found)


def test_what_is_wrong_is_found(browser: Browser) -> None:
    page = browser.new_page()
    page.set_content(
        '<html lang="en"><title>x</title><main style="background: #fff"><h1>x</h1><button></button>'
        '<p style="color: #999">pale</p><svg><text y="20" fill="#999">in a drawing</text></svg></main>'
    )
    assert [line.split()[0] for line in faults(page, ALL)] == ["button-name", "color-contrast"]
    assert pale(page) == ["in a drawing: 2.85"]
    page.close()


def choose_an_image(page: Page) -> None:
    page.get_by_test_id("explore-find").select_option("wrong")
    page.get_by_test_id("explore-gallery").locator("button").first.click()
    expect(page.get_by_test_id("explore-detail")).to_contain_text("%")


def faults(page: Page, options: dict[str, Any]) -> list[str]:
    """What axe finds and calls serious or critical, a line for every node: rule, node, and what it says of it."""
    if page.evaluate("typeof axe") == "undefined":
        page.evaluate(AXE_SCRIPT)
    result = page.evaluate("options => axe.run(options)", options)
    return [
        f"{broken['id']} at {' '.join(map(str, node['target']))}: {node['html'][:160]} ({node['failureSummary']})"
        for broken in result["violations"]
        if broken["impact"] in SERIOUS
        for node in broken["nodes"]
    ]


def pale(page: Page) -> list[str]:
    """Words in drawings with less contrast than 4.5 to the page."""
    return page.evaluate(PALE)
