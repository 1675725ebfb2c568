"""The main job: see the cluster, press one button, watch it dissolve; a reload in the middle changes nothing."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from core import victims
from core.runs.record import Run
from core.runs.record import open as open_run
from core.words import Words
from dashboard import data
from dashboard.i18n import catalogue
from tests.browser.visit import (
    figure,
    run_in_address,
    settled,
    stage,
    wait_for_frames,
    wait_for_status,
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


def test_a_purification_of_a_chosen_victim_dissolves_the_cluster(page: Page) -> None:
    """The digits are chosen, since they are done sooner; the default victim is cured in ``test_lost_worker``."""
    card = victims.card_of("digits-badnets")
    page.goto("/purify")
    page.locator(".st-key-setup_victim input").click()
    page.get_by_role("option", name=Words("en").victim(card.data, card.attack)).click()
    recording = data.recording_of(card.name)
    assert recording is not None
    expect(stage(page)).to_have_attribute("data-run", f"{recording.id}#before")
    settled(page)
    page.get_by_role("button", name=words("setup.start")).click()
    page.wait_for_url("**run=*")
    run_id = run_in_address(page)
    assert run_id is not None
    assert not open_run(run_id).is_recording
    assert open_run(run_id).spec.victim == card.name

    wait_for_frames(page, 3)
    wait_until_drawn(page)
    mark(page)
    seen = wait_for_frames(page, 5)
    assert marked(page), "the map's node was replaced while frames came in"

    page.reload()
    held = wait_for_frames(page, seen)
    assert run_in_address(page) == run_id
    expect(stage(page)).to_have_attribute("data-run", run_id)
    assert open_run(run_id).status in ("running", "done")
    wait_until_drawn(page)
    mark(page)

    wait_for_status(page, "done")
    assert wait_for_frames(page, held) >= held
    assert marked(page), "the map's node was replaced when the run ended"
    assert_cured(page, open_run(run_id))


def mark(page: Page) -> None:
    """Leaves a mark on the map's node and on the one that plotly.js draws into."""
    page.evaluate(
        "() => { for (const id of ['stage', 'map']) document.querySelector(`[data-testid=${id}]`).__mark = id }"
    )


def marked(page: Page) -> bool:
    return page.evaluate(
        "() => ['stage', 'map'].every((id) => document.querySelector(`[data-testid=${id}]`).__mark === id)"
    )


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
