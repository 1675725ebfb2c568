"""How soon the first page is there: a new server process, and a visit to one that is up, in headless Chromium.

"Painted" means that the page's headline is on screen and two frames have been drawn since. The browser is started
before the clock; every visit has an empty browser cache.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FLAGS = (
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--use-gl=swiftshader",
    "--enable-unsafe-swiftshader",
)
TWO_FRAMES = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
MAP = "[data-mount][data-ready=true]"
PATIENCE = 120.0  # seconds


def rows(cold: int = 3, warm: int = 3) -> list[tuple[str, str, str]]:
    """(figure, measured, asked for), medians of ``cold`` new servers and ``warm`` visits to the last of them."""
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        return [("first page", "skipped: Playwright is not installed", "-")]
    starts, visits = [], []
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as home:
        try:
            chromium = playwright.chromium.launch(executable_path=_chromium(), args=list(FLAGS))
        except Error as error:
            return [("first page", f"skipped: no Chromium ({str(error).splitlines()[0]})", "-")]
        with contextlib.closing(chromium) as browser:
            for number in range(cold):
                begun = time.monotonic()
                with _server(Path(home)) as address:
                    starts.append(_visit(browser, address, begun))
                    if number == cold - 1:
                        visits = [_visit(browser, address, time.monotonic()) for _ in range(warm)]
    found = [_row(f"new server to first page painted, median of {cold}", [text for text, _ in starts], "<= 5 s")]
    found.append(_row(f"visit to first page painted, median of {warm}", [text for text, _ in visits], "<= 2 s"))
    maps = [drawn for _, drawn in visits if drawn is not None]
    if len(maps) == len(visits):
        found.append(_row("visit to the opening map drawn (software rendering)", maps, "-"))
    else:
        found.append(("visit to the opening map drawn", "no map: no recording is shipped", "-"))
    return found


def _row(name: str, seconds: list[float], asked: str) -> tuple[str, str, str]:
    return name, f"{statistics.median(seconds):.2f} s ({', '.join(f'{s:.2f}' for s in sorted(seconds))})", asked


def _chromium() -> str | None:
    """The machine's Chromium; None for the one that Playwright brings."""
    return next((path for name in ("chromium", "chromium-browser") if (path := shutil.which(name))), None)


@contextlib.contextmanager
def _server(home: Path) -> Iterator[str]:
    """A dashboard on a free port; its address, at once: it may not answer yet."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        sys.executable, "-m", "streamlit", "run", "dashboard/app.py", "--server.port", str(port), "--server.headless",
        "true",
    ]  # fmt: skip
    environment = os.environ | {"DISSOLVE_HOME": str(home)}
    with (home / "server.log").open("w") as log:
        server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            try:
                server.wait(timeout=10)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def _visit(browser: Any, address: str, begun: float) -> tuple[float, float | None]:
    """Seconds from ``begun`` until the headline is painted, and until the map is drawn (None: the page has none)."""
    from playwright.sync_api import Error

    headline = json.loads((ROOT / "dashboard/i18n/en.json").read_text())["app.tagline"]
    with contextlib.closing(browser.new_context(locale="en-GB")) as context:
        page = context.new_page()
        while True:
            try:
                page.goto(address, wait_until="commit")
                break
            except Error:
                if time.monotonic() - begun > PATIENCE:
                    raise
                time.sleep(0.02)
        page.get_by_role("heading", name=headline).wait_for(timeout=1000 * PATIENCE)
        page.evaluate(TWO_FRAMES)
        painted = time.monotonic() - begun
        if not _has_map(page):
            return painted, None
        page.locator(MAP).wait_for(timeout=1000 * PATIENCE)
        page.evaluate(TWO_FRAMES)
        return painted, time.monotonic() - begun


def _has_map(page: Any) -> bool:
    """Whether a live view is, or within five seconds comes, on the page."""
    from playwright.sync_api import TimeoutError as Late

    try:
        page.locator("[data-mount]").wait_for(state="attached", timeout=5000)
    except Late:
        return False
    return True


if __name__ == "__main__":
    for row in rows():
        print(" | ".join(row))
