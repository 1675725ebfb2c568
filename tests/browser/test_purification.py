"""The main job: see the cluster, press one button, watch it dissolve; a reload in the middle changes nothing."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from core import victims
from core.runs.record import Run
from core.runs.spec import Spec
from core.words import Words
from dashboard import data
from dashboard.i18n import catalogue
from tests.browser.conftest import DIGITS
from tests.browser.visit import (
    mark,
    marked,
    run_in_address,
    settled,
    stage,
    started,
    wait_for_frames,
    wait_until_drawn,
    words,
)

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]


def test_the_first_page_shows_the_default_victims_cluster_and_tab_leads_to_its_start(page: Page) -> None:
    card = victims.card_of(victims.DEFAULT)
    target = catalogue("en")[f"class.{card.data}.{card.target_name}"]
    recording = data.recording_of(card.name)
    assert recording is not None, f"no recording of {card.name} is shipped"

    page.goto("/purify")

    expect(page.get_by_role("heading", level=1, name=words("app.tagline"))).to_be_visible()
    expect(stage(page)).to_have_attribute("data-run", f"{recording.id}#before")
    wait_until_drawn(page)
    named = page.get_by_test_id("cluster-name")
    expect(named).to_be_visible()
    expect(named).to_have_attribute("data-tone", "attack")
    expect(named).to_contain_text(target)
    expect(page.get_by_test_id("outline")).to_have_attribute("d", re.compile("^M.+Z$"))
    start = page.get_by_role("button", name=words("setup.start"))
    expect(start).to_be_enabled()
    settled(page)
    passed = []
    for _ in range(20):
        page.keyboard.press("Tab")
        if start.evaluate("node => node === document.activeElement"):
            break
        passed.append(page.evaluate("document.activeElement.outerHTML.slice(0, 80)"))
    else:
        pytest.fail(f"twenty presses of Tab led elsewhere: {passed}")
    assert start.evaluate("node => node.matches(':focus-visible')")


def test_a_chosen_victim_is_purified_before_ones_eyes_and_a_reload_changes_nothing(
    page: Page, begun: list[Run]
) -> None:
    """What comes of a run in the end, ``test_lost_worker`` looks at."""
    card = victims.card_of(DIGITS)
    page.goto("/purify")
    page.locator(".st-key-setup_victim input").click()
    page.get_by_role("option", name=Words("en").victim(card.data, card.attack)).click()
    recording = data.recording_of(card.name)
    assert recording is not None
    expect(stage(page)).to_have_attribute("data-run", f"{recording.id}#before")
    settled(page)
    run = started(page)
    begun.append(run)
    assert not run.is_recording
    assert run.spec == Spec(victim=card.name, images=card.data)

    wait_for_frames(page, 2)
    wait_until_drawn(page)
    mark(page)
    seen = wait_for_frames(page, 4)
    assert marked(page), "the map's node was replaced while frames came in"

    page.reload()
    assert wait_for_frames(page, seen + 1) > seen
    assert run_in_address(page) == run.id
    expect(stage(page)).to_have_attribute("data-run", run.id)
    assert run.status in ("running", "done")
