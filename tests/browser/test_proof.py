"""The grade of a cure as a visitor sees it: as big as the figures, at both widths, and readable in both themes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page, expect

from core.report.proof import REASONS, TESTS
from core.runs.record import Run
from tests.browser.conftest import DIGITS, finished
from tests.browser.visit import HEIGHTS, Server, address, fits, in_colours, pictured, settled, words
from tests.core.report.conftest import PROOF

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]
SIZE = "node => getComputedStyle(node).fontSize"
PALE = """() => axe.run(".stMain", {runOnly: {type: "rule", values: ["color-contrast"]}})
  .then(found => found.violations.flatMap(fault => fault.nodes.map(node => node.html)))"""


def graded(home: Path, cure: str) -> Run:
    """A finished run of that grade, with every reason there is where the cure does not hold."""
    return finished(home, DIGITS, cure, cure=cure, cure_reasons=[] if cure == "holds" else list(REASONS), proof=PROOF)


@pytest.mark.parametrize(("cure", "language"), [("holds", "en"), ("doubt", "ja"), ("failed", "en")])
def test_the_grade_stands_beside_the_figures_and_can_be_read(
    visitor: Callable[..., Page], server: Server, cure: str, language: str
) -> None:
    page = visitor(width=1440, height=HEIGHTS[1440], locale={"en": "en-GB", "ja": "ja-JP"}[language])
    page.goto(address("/purify", run=graded(server.home, cure).id))
    block = page.locator(f".st-key-proof_{cure}")
    headline = block.get_by_text(words(f"cure.{cure}", language))
    expect(headline).to_be_visible()
    settled(page)
    expect(headline).to_have_css("font-size", page.locator(".dz-table .big").first.evaluate(SIZE))
    block.get_by_text(words("proof.tried", language)).click()
    expect(block.locator("li")).to_have_count(len(TESTS if cure == "holds" else REASONS))
    drawn = block.get_by_role("img", name=words("proof.path.label", language).split("{")[0])
    expect(drawn).to_be_visible()
    pictured(drawn)
    page.evaluate(AXE_SCRIPT)
    themes: tuple[Literal["light", "dark"], ...] = ("light", "dark")
    for theme in themes:
        in_colours(page, theme)
        assert page.evaluate(PALE) == []
    fits(page)
