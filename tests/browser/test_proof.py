"""The grade of a cure as a visitor sees it: as big as the figures, at both widths, and readable in both themes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page, expect

from core import paths, victims
from core.report.proof import REASONS, TESTS
from tests.browser.visit import HEIGHTS, Server, address, fits, in_colours, pictured, settled, words
from tests.core.report.conftest import PROOF

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]
SIZE = "node => getComputedStyle(node).fontSize"
PALE = """() => axe.run(".stMain", {runOnly: {type: "rule", values: ["color-contrast"]}})
  .then(found => found.violations.flatMap(fault => fault.nodes.map(node => node.html)))"""


def graded(home: Path, cure: str) -> str:
    """A run made of a recording, with every reason there is where the cure does not hold; gives its id."""
    folder = home / "runs" / f"20260101-000000-{cure}"
    if not folder.exists():
        shutil.copytree(paths.RECORDINGS / victims.DEFAULT, folder)
        proven: dict[str, Any] = {
            "cure": cure,
            "cure_reasons": [] if cure == "holds" else list(REASONS),
            "proof": PROOF,
        }
        data = json.loads((folder / "run.json").read_text())
        data |= {"id": folder.name, "recording": False, "result": data["result"] | proven}
        (folder / "run.json").write_text(json.dumps(data))
        events = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
        events[-1]["result"] |= proven
        (folder / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
    return folder.name


@pytest.mark.parametrize(("cure", "language"), [("holds", "en"), ("doubt", "ja"), ("failed", "en")])
def test_the_grade_stands_beside_the_figures_and_can_be_read(
    visitor: Callable[..., Page], server: Server, cure: str, language: str
) -> None:
    page = visitor(width=1440, height=HEIGHTS[1440], locale={"en": "en-GB", "ja": "ja-JP"}[language])
    page.goto(address("/purify", run=graded(server.home, cure)))
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
