"""How soon a selection on the page Explore is a grid of images, at 2,000 and at 10,000 points, in headless Chromium.

The clock runs inside the page, from the moment the mouse button of a lasso is let go to the second frame drawn after
it; and from one redrawing of all points to the end of the next. The points, their pictures and three frames are made
up, in a home of their own: what is drawn costs the same whatever it shows.
"""

from __future__ import annotations

import contextlib
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from core.events import Finished, Frame
from core.files import write_json
from core.runs.event_log import EventWriter
from core.runs.record import FORMAT, Run, now
from core.runs.spec import Spec
from tests.benchmarks.first_page import FLAGS, PATIENCE, TWO_FRAMES, chromium_here, listening, server_at

SIZES = {2000: "<= 0.5 s", 10_000: "<= 1 s"}
TURNS = 7
CLASSES = 12
ROOM = "[data-testid=explore][data-ready=true]"
WATCH = """() => {
  const room = document.querySelector('[data-testid=explore]');
  const map = room.querySelector('[data-testid=explore-map-a]');
  map.addEventListener('pointerup', () => {
    const begun = performance.now();
    requestAnimationFrame(() => requestAnimationFrame(() => { window.selectionTook = performance.now() - begun; }));
  }, true);
}"""
GLIDE = """async () => {
  const map = document.querySelector('[data-testid=explore-map-a]');
  const turn = () => new Promise(requestAnimationFrame);
  const times = [];
  for (let k = 0; k < 30; k++) {
    const begun = performance.now();
    map.dispatchEvent(new KeyboardEvent('keydown', { key: k % 2 ? 'ArrowLeft' : 'ArrowRight', bubbles: true }));
    times.push(performance.now() - begun);
    await turn();
  }
  return times.sort((a, b) => a - b)[15];
}"""


def rows() -> list[tuple[str, str, str]]:
    """(figure, measured, asked for), medians of ``TURNS`` selections."""
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        return [("selection to image grid", "skipped: Playwright is not installed", "-")]
    found = []
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as home:
        for points in SIZES:
            make_run(Path(home), points)
        try:
            chromium = playwright.chromium.launch(executable_path=chromium_here(), args=list(FLAGS))
        except Error as error:
            return [("selection to image grid", f"skipped: no Chromium ({str(error).splitlines()[0]})", "-")]
        with contextlib.closing(chromium) as browser, server_at(Path(home)) as address:
            for points, asked in SIZES.items():
                seconds, picked, drawing = _measure(browser, address, points)
                spread = f"{min(seconds):.3f}-{max(seconds):.3f}"
                figure = f"{statistics.median(seconds):.3f} s ({spread}; {picked:,} selected)"
                found.append((f"selection to image grid, {points:,} points, median of {TURNS}", figure, asked))
                found.append((f"all {points:,} points drawn anew, median of 30", f"{drawing:.0f} ms", "-"))
    return found


def _measure(browser: Any, address: str, points: int) -> tuple[list[float], int, float]:
    with contextlib.closing(browser.new_context(locale="en-GB", viewport={"width": 1440, "height": 900})) as context:
        page = context.new_page()
        _open(page, f"{address}/explore?run=points-{points}")
        page.evaluate(WATCH)
        box = page.get_by_test_id("explore-map-a").bounding_box()
        seconds = []
        for turn in range(TURNS):
            page.evaluate("window.selectionTook = null")
            share = 0.5 + 0.05 * turn
            for x, y, press in ((0.05, 0.05, True), (share, 0.05, False), (share, 0.95, False), (0.05, 0.95, False)):
                page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=5)
                if press:
                    page.mouse.down()
            page.mouse.up()
            page.wait_for_function("window.selectionTook !== null")
            seconds.append(page.evaluate("window.selectionTook") / 1000)
            page.evaluate(TWO_FRAMES)
        picked = int(page.get_by_test_id("explore").get_attribute("data-selected"))
        return seconds, picked, page.evaluate(GLIDE)


def _open(page: Any, address: str) -> None:
    listening(address, time.monotonic())
    page.goto(address, wait_until="commit")
    page.wait_for_selector(ROOM, timeout=1000 * PATIENCE)
    page.evaluate(TWO_FRAMES)


def make_run(home: Path, points: int) -> Run:
    """A finished run of that many made-up points, whose weights are nowhere, so that nothing is computed beside it."""
    rng = np.random.default_rng(0)
    folder = home / "runs" / f"points-{points}"
    folder.mkdir(parents=True)
    spec = Spec(weights="nowhere.safetensors", images="signs", points=points)
    write_json(
        folder / "run.json",
        {"format": FORMAT, "id": folder.name, "created": now(), "status": "done", "spec": spec.to_dict(),
         "classes": [f"class {k}" for k in range(CLASSES)], "target": 2, "recording": False},
    )  # fmt: skip
    run = Run(folder)
    labels = rng.integers(0, CLASSES, points)
    triggered = np.arange(points) >= 0.75 * points
    run.write_samples(np.arange(points), labels, triggered, np.where(triggered, np.arange(points) - points // 2, -1))
    run.write_thumbs(rng.integers(0, 256, (points, 32, 32, 3), dtype=np.uint8))
    middles = rng.normal(scale=10, size=(CLASSES, 2))
    with EventWriter(folder / "events.jsonl") as log:
        for index in range(3):
            coords = middles[labels] + rng.normal(size=(points, 2))
            file = run.write_frame(index, coords, labels, np.full(points, 90))
            log.append(float(index), Frame(index, index, file, 95.0, 95.0, "true", 0.0, 0.9))
        log.append(3.0, Finished({}))
    return run


if __name__ == "__main__":
    for row in rows():
        print(" | ".join(row))
