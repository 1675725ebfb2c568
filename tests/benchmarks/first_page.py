"""How soon the first page is there: a new server process, and a visit to one that is up, in headless Chromium.

"Painted" means that the page's headline is on screen and two frames have been drawn since. The browser is started
before the clock; every visit has an empty browser cache. The server may keep compiled modules, as it may at home.
"""

from __future__ import annotations

import contextlib
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
HEADLINE = "h1"
MAP_PAGE, MAP = "/purify", "[data-mount][data-ready=true]"
PATIENCE = 120.0  # seconds


def rows(cold: int = 3, warm: int = 3) -> list[tuple[str, str, str]]:
    """(figure, measured, asked for), medians of ``cold`` new servers and ``warm`` visits to the last of them."""
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        return [("first page", "skipped: Playwright is not installed", "-")]
    starts, visits, maps = [], [], []
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as home:
        try:
            chromium = playwright.chromium.launch(executable_path=chromium_here(), args=list(FLAGS))
        except Error as error:
            return [("first page", f"skipped: no Chromium ({str(error).splitlines()[0]})", "-")]
        with contextlib.closing(chromium) as browser:
            for number in range(cold):
                begun = time.monotonic()
                with server_at(Path(home)) as address:
                    starts.append(_visit(browser, address, begun))
                    if number == cold - 1:
                        visits = [_visit(browser, address, time.monotonic()) for _ in range(warm)]
                        maps = [_visit(browser, address + MAP_PAGE, time.monotonic(), MAP) for _ in range(warm)]
    return [
        _row(f"new server to first page painted, median of {cold}", starts, "<= 5 s"),
        _row(f"visit to first page painted, median of {warm}", visits, "<= 2 s"),
        _row(f"visit to the opening map drawn (software rendering), median of {warm}", maps, "-"),
    ]


def _row(name: str, seconds: list[float], asked: str) -> tuple[str, str, str]:
    return name, f"{statistics.median(seconds):.2f} s ({', '.join(f'{s:.2f}' for s in sorted(seconds))})", asked


def chromium_here() -> str | None:
    """The machine's Chromium; None for the one that Playwright brings."""
    return next((path for name in ("chromium", "chromium-browser") if (path := shutil.which(name))), None)


@contextlib.contextmanager
def server_at(home: Path) -> Iterator[str]:
    """A dashboard on a free port; its address, at once: it may not answer yet."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        sys.executable, "-m", "streamlit", "run", "dashboard/app.py", "--server.port", str(port), "--server.headless",
        "true",
    ]  # fmt: skip
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment = kept | {"DISSOLVE_HOME": str(home)}
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


def listening(address: str, begun: float) -> None:
    """Waits until the server takes connections. A browser asked to try again and again draws its error page each time,
    on the very cores that the server starts on; Streamlit, too, opens the browser once it listens."""
    host, port = address.removeprefix("http://").split("/")[0].split(":")
    while True:
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
            return
        except OSError:
            if time.monotonic() - begun > PATIENCE:
                raise
            time.sleep(0.02)


def _visit(browser: Any, address: str, begun: float, wanted: str = HEADLINE) -> float:
    """Seconds from ``begun`` until what the selector ``wanted`` names is painted."""
    with contextlib.closing(browser.new_context(locale="en-GB")) as context:
        page = context.new_page()
        listening(address, begun)
        page.goto(address, wait_until="commit")
        page.locator(wanted).first.wait_for(timeout=1000 * PATIENCE)
        page.evaluate(TWO_FRAMES)
        return time.monotonic() - begun


if __name__ == "__main__":
    for row in rows():
        print(" | ".join(row))
