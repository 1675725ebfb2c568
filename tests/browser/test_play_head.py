"""The play head is the reader's: what comes in never moves it, and it goes by mouse and by keyboard."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from core.runs.record import Run
from tests.browser.visit import (
    address,
    frame,
    frames,
    stage,
    wait_for_frames,
    wait_for_status,
    wait_until_drawn,
    words,
)

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]


def test_going_back_while_the_run_goes_on(page: Page, run: Run) -> None:
    page.goto(address("/purify", run=run.id))
    wait_for_frames(page, 2)
    wait_until_drawn(page)
    expect(stage(page)).not_to_have_attribute("data-frame", "0")

    # held at the start by the mouse
    playhead = page.get_by_test_id("playhead")
    playhead.scroll_into_view_if_needed()
    box = playhead.bounding_box()
    assert box is not None
    middle = box["height"] / 2
    playhead.hover(position={"x": 0.7 * box["width"], "y": middle})  # waits until it stands still
    page.mouse.down()
    page.mouse.move(box["x"] + 1, box["y"] + middle, steps=4)
    expect(stage(page)).to_have_attribute("data-frame", "0")
    held = wait_for_frames(page, frames(page) + 1)
    assert frame(page) == 0
    page.mouse.up()

    # paused at the start
    page.get_by_test_id("stage-play").click()
    stage(page).focus()
    page.keyboard.press("Home")
    expect(stage(page)).to_have_attribute("data-frame", "0")
    wait_for_frames(page, frames(page) + 1)
    assert frame(page) == 0
    expect(page.get_by_test_id("stage-play")).to_have_attribute("aria-label", words("stage.play"))

    # and back at what happens now
    page.get_by_test_id("stage-live").click()
    page.wait_for_function(
        "least => Number(document.querySelector('[data-testid=stage]').dataset.frame) >= least", arg=held + 1
    )
    # a road sign in the legend says stop, too
    page.locator(".st-key-actions").get_by_role("button", name=words("act.stop")).click()
    wait_for_status(page, "stopped")
    expect(page.get_by_role("button", name=words("act.resume"))).to_be_visible()


def test_the_stage_by_keyboard(page: Page, done_run: Run) -> None:
    page.goto(address("/purify", run=done_run.id))
    last = done_run.frame_count - 1
    wait_for_frames(page, last + 1)
    wait_until_drawn(page)
    stage(page).focus()
    for key, shown in (
        ("Home", 0),
        ("ArrowRight", 1),
        ("ArrowRight", 2),
        ("ArrowLeft", 1),
        ("End", last),
        ("ArrowRight", last),
    ):
        page.keyboard.press(key)
        expect(stage(page)).to_have_attribute("data-frame", str(shown))
    page.keyboard.press("Home")
    for key, shown in (("ArrowRight", 3), ("ArrowLeft", 0)):
        for _ in range(3):  # faster than the head glides
            page.keyboard.press(key)
        expect(stage(page)).to_have_attribute("data-frame", str(shown))
