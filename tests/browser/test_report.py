"""The report in a browser: it asks for nothing, fits its sheet and the screen, and comes from the page in a press."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from core import paths, report
from core.report import pdf
from core.report.account import keep
from core.report.proof import REASONS, TESTS
from core.rollout.wording import in_use
from core.runs.record import Run
from core.words import Words
from tests.browser.visit import PATIENCE
from tests.core.report.conftest import PROOF
from tests.core.report.test_account import PRICES, STEP
from tests.core.report.test_pdf import sheets

pytestmark = pytest.mark.browser
# every recording in one language, the longest names and sentences among them
RUNS = (("signs-badnets", "en"), ("signs-sig", "ja"), ("cifar10-badnets", "en"), ("gtsrb-badnets", "ja"))


@pytest.mark.parametrize(("name", "language"), RUNS)
def test_a_report_asks_for_nothing_and_fits(browser: Browser, tmp_path: Path, name: str, language: str) -> None:
    path = report.write(Run(paths.RECORDINGS / name), language, tmp_path)
    asked: list[str] = []
    told: list[str] = []
    for width in (1280, 390):
        context = browser.new_context(viewport={"width": width, "height": 900}, offline=True)
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: told.append(message.text))
        page.goto(path.as_uri())
        expect(page.locator("h1")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate("document.documentElement.lang") == language
        assert page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
        context.close()
    assert {url for url in asked if not url.startswith("data:")} == {path.as_uri()}
    assert told == []


@pytest.mark.parametrize(("name", "language"), RUNS)
def test_a_report_is_a_sheet_of_a4_and_one_for_the_account(chromium: str, name: str, language: str) -> None:
    content = pdf.render(report.html(Run(paths.RECORDINGS / name), language), Path(chromium))
    assert sheets(content)[0] == 2


@pytest.mark.parametrize("language", ["en", "ja"])
def test_it_stays_so_where_much_is_to_be_said(chromium: str, tmp_path: Path, language: str) -> None:
    folder = Path(shutil.copytree(paths.RECORDINGS / "signs-sig", tmp_path / "told"))
    run, log = folder / "run.json", folder / "events.jsonl"
    record = json.loads(run.read_text())
    record["result"] |= {"stamps": "alone", "given_up": True, "back": 0.5, "asr_kind": "estimated"}
    run.write_text(json.dumps(record))
    events = [json.loads(line) for line in log.read_text().splitlines()]
    for event in events:
        if event["type"] == "scanned":
            event["facts"]["fallen_back"] = 81.0
    log.write_text("".join(json.dumps(event) + "\n" for event in events))
    keep(Run(folder), PRICES, STEP)
    made = report.html(Run(folder), language, used=in_use(Run(folder), Words(language)))
    assert "81" in made
    assert 'class="verdict long"' in made
    assert sheets(pdf.render(made, Path(chromium)))[0] == 2


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("cure", ["holds", "doubt", "failed"])
def test_it_stays_so_with_the_longest_proof(chromium: str, tmp_path: Path, cure: str, language: str) -> None:
    proven = {"cure": cure, "cure_reasons": [] if cure == "holds" else list(REASONS), "proof": PROOF}
    for name, more in (("signs-badnets", {}), ("signs-sig", {"stamps": "alone", "given_up": True, "back": 0.5})):
        folder = Path(shutil.copytree(paths.RECORDINGS / name, tmp_path / name))
        record = json.loads((folder / "run.json").read_text())
        record["result"] |= proven | more
        (folder / "run.json").write_text(json.dumps(record))
        made = report.html(Run(folder), language)
        assert sum(made.count(f'<li class="{kind}">') for kind in ("good", "bad")) == len(
            TESTS if cure == "holds" else REASONS
        )
        assert sheets(pdf.render(made, Path(chromium)))[0] == 2


def test_a_press_on_the_page_saves_the_report(visitor: Callable[..., Page]) -> None:
    page = visitor(locale="ja-JP")
    page.goto("/purify?run=signs-badnets")
    for name, starts in (("報告書 (HTML)", b"<!DOCTYPE html>"), ("報告書 (PDF)", b"%PDF")):
        with page.expect_download(timeout=2 * PATIENCE) as saved:
            page.get_by_role("button", name=name).click()
        assert Path(saved.value.path()).read_bytes().startswith(starts)
        assert "report.ja" in saved.value.suggested_filename
