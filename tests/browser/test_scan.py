"""A scan alone: its bars grow while one waits, it says no more than a scan can, and a purification goes on from it."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from core.errors import BadInput
from core.events import Scanned, Searched
from core.runs import supervisor
from core.runs.record import Run
from core.runs.record import open as open_run
from core.runs.spec import Spec
from core.victims import card_of
from tests.browser.visit import RUN_PATIENCE, address, run_in_address, wait_for_status, words

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]
ANOTHER = "id => { const run = new URLSearchParams(location.search).get('run'); return run && run !== id; }"
VICTIM = card_of("digits-badnets")


def paused_once_a_class_is_reached(run: Run) -> None:
    """Holds the scan, which lasts a second or two, for as long as it is looked at."""
    reader = run.reader()
    while not any(isinstance(event, Searched) and any(event.sizes) for _, event in reader.read()):
        time.sleep(0.01)
    supervisor.pause(run)


def test_the_bars_of_a_scan_and_a_purification_that_goes_on_from_it(page: Page, tmp_path: Path) -> None:
    path = tmp_path / "downloaded.safetensors"
    path.write_bytes(VICTIM.weights.read_bytes())
    scan = supervisor.start(Spec(weights=str(path), images="digits", points=200, scan_only=True))
    paused_once_a_class_is_reached(scan)
    page.goto(address("/examine", run=scan.id))
    bars = page.locator(".dz-search ol li")
    expect(bars).to_have_count(10, timeout=RUN_PATIENCE)
    expect(page.locator(".dz-search ol li.done").first).to_be_visible(timeout=RUN_PATIENCE)
    expect(page.locator(".dz-search ul")).to_contain_text("Accuracy as it came: 9")
    expect(page.get_by_test_id("stage")).to_have_count(0)

    supervisor.resume(scan)
    wait_for_status(page, "done")
    expect(bars).to_have_count(0)
    expect(page.get_by_test_id("stage")).to_be_visible()
    for unneeded in ("transport", "curves", "dissolved"):
        expect(page.get_by_test_id(unneeded)).to_be_hidden()

    page.get_by_role("button", name=words("examine.purify")).click()
    page.wait_for_function(ANOTHER, arg=scan.id)
    run = open_run(run_in_address(page) or "")
    try:
        assert run.spec.scan_of == scan.id
        now = page.locator(".dz-track li.now b")
        expect(now).to_have_text(words("phase.purify"), timeout=RUN_PATIENCE)
        told = [event for _, event in run.events()]
        assert not [event for event in told if isinstance(event, Searched)]
        assert [event for event in told if isinstance(event, Scanned)] == [
            event for _, event in scan.events() if isinstance(event, Scanned)
        ]
    finally:
        with contextlib.suppress(BadInput):  # what comes of it, test_earlier.py looks at
            supervisor.kill(run)
