"""A worker killed in the middle: the page says so, offers to go on, no finished frame is lost, the model is cured."""

from __future__ import annotations

import os
import signal

import psutil
import pytest
from playwright.sync_api import Page, expect

from core.events import Frame
from core.runs.record import Run
from tests.browser.visit import (
    address,
    assert_cured,
    mark,
    marked,
    wait_for_frames,
    wait_for_status,
    wait_until_drawn,
    words,
)

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]


def test_a_killed_worker_is_told_and_resumed(page: Page, run: Run) -> None:
    page.goto(address("/purify", run=run.id))
    wait_for_frames(page, 4)

    worker = psutil.Process(run.data["worker"]["pid"])
    os.kill(worker.pid, signal.SIGKILL)
    wait_for_status(page, "lost")
    finished = frame_files(run)
    assert len(finished) >= 4
    expect(page.get_by_text(words("lead.lost").format(frames=len(finished)))).to_be_visible()
    assert wait_for_frames(page, len(finished)) == len(finished)

    wait_until_drawn(page)
    mark(page)

    page.get_by_role("button", name=words("act.resume")).click()
    wait_for_status(page, "done")

    assert run.data["worker"]["pid"] != worker.pid
    after = frame_files(run)
    assert {name: after.get(name) for name in finished} == finished, "a finished frame changed or went"
    assert wait_for_frames(page, len(after)) == len(after)
    assert marked(page), "the map's node was replaced when the run went on or ended"
    assert_cured(page, run)
    steps = [event.step for _, event in run.events() if isinstance(event, Frame)]
    assert steps == sorted(steps), "steps that are on record were done again in sight"


def frame_files(run: Run) -> dict[str, bytes]:
    """The frames that the record's events tell of, by file name, with their content."""
    told = [event for _, event in run.events() if isinstance(event, Frame)]
    paths = sorted((run.folder / "frames").glob("*.npz"))[: len(told)]
    return {path.name: path.read_bytes() for path in paths}
