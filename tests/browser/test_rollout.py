"""A roll-out is walked on the page: begun on a folder of signs, taken on by a person, and its account made."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from core.data import load
from core.data.imageset import as_float
from core.victims import DEFAULT, card_of, trigger_of
from tests.browser.visit import HEIGHTS, RUN_PATIENCE, Server, fits, settled, words

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

CLEAN, BAD, LEAST = 120, 3, 100


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    """Signs of the test set, three of them with the sticker."""
    images, card = load("signs"), card_of(DEFAULT)
    other = images.y_test != card.target
    bad = (trigger_of(card, images.size)(as_float(images.x_test[other][-BAD:])) * 255).round().byte()
    for number, pixels in enumerate([*images.x_test[:CLEAN], *bad]):
        Image.fromarray(pixels.permute(1, 2, 0).numpy()).save(tmp_path / f"{number:03}.png")
    return tmp_path


@pytest.fixture(autouse=True)
def fresh(server: Server) -> Iterator[None]:
    """Whatever was left of roll-outs is gone, before and after."""
    for _ in range(2):
        for name in ("rollout", "accounts"):
            shutil.rmtree(server.home / name, ignore_errors=True)
        if _ == 0:
            yield


@pytest.mark.parametrize(("language", "width"), [("en", 1440), ("ja", 390)])
def test_a_roll_out_is_begun_taken_on_and_accounted_for(
    visitor: Callable[..., Page], inbox: Path, language: str, width: int
) -> None:
    def say(key: str) -> str:
        return words(key, language)

    page = visitor(width=width, height=HEIGHTS[width], locale="ja-JP" if language == "ja" else "en-GB")
    page.goto(f"/watch?view=rollout&run={DEFAULT}")
    page.get_by_label(say("watch.start.inbox"), exact=True).fill(str(inbox))
    page.get_by_label(say("rollout.images"), exact=True).fill(str(LEAST))
    page.get_by_label(say("rollout.disagreement"), exact=True).fill("20")
    page.get_by_label(say("rollout.disagreement"), exact=True).press("Enter")
    settled(page)
    page.get_by_role("button", name=say("rollout.start")).click()
    decision = page.locator(".st-key-rollout_decision")
    expect(decision).to_contain_text(f"{say('rollout.rule_says')} {say('rollout.decision.on')}", timeout=RUN_PATIENCE)
    expect(page.locator(".st-key-stage-shadow")).to_contain_text(say("rollout.here"))
    expect(page.locator(".st-key-rollout_averted img").first).to_be_visible()
    fits(page)
    page.locator(".st-key-rollout_on button").click()  # the process that answers has to take it up
    expect(page.locator(".st-key-stage-share")).to_contain_text(say("rollout.here"), timeout=RUN_PATIENCE)
    page.locator(".st-key-rollout_stop button").click()  # and to end
    expect(page.locator(".st-key-rollout_again")).to_be_visible(timeout=RUN_PATIENCE)

    page.get_by_role("radio", name=say("watch.view.account"), exact=True).click()
    page.get_by_role("button", name=say("account.measure")).click()
    expect(page.get_by_role("button", name=say("account.again"))).to_be_visible(timeout=RUN_PATIENCE)
    table = page.locator(".dz-table")
    expect(table).to_contain_text(say("account.row.time"))
    expect(table.locator("tbody tr").first).not_to_contain_text("–")
    expect(page.get_by_text(say("rollout.stage.share")).first).to_be_visible()
    fits(page)
