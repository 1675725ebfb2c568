"""The dashboard as a visitor has it: the real server, the machine's Chromium, and a run to look at.

Server and browser live for this folder's tests only: while Playwright's synchronous interface is up, an event loop
runs in the main thread, and no other test may start one there.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from core import victims
from core.errors import BadInput
from core.runs import supervisor
from core.runs.record import ENDED, Run, list_runs
from core.runs.spec import Spec
from tests.browser.visit import PATIENCE, RUN_PATIENCE, Server

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "test-results"
FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--use-gl=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
]
FEW = 300  # points on the map of runs whose map is not what is tested
SHORT = {"anneal": 60}  # settings of runs whose cure is not what is tested: half the steps, and the attack goes
SERVER = pytest.StashKey[Server]()


@pytest.fixture(scope="package")
def chromium() -> str:
    """The path of Chromium; without one the tests of this folder are skipped."""
    found = next((path for name in ("chromium", "chromium-browser") if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    return found


@pytest.fixture(scope="package")
def browser(chromium: str) -> Iterator[Browser]:
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        instance = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield instance
        instance.close()


@pytest.fixture(scope="package")
def server(chromium: str, dissolve_home: None, pytestconfig: pytest.Config) -> Iterator[Server]:
    """The dashboard on a free port, in the home that the tests of this session share."""
    home = Path(os.environ["DISSOLVE_HOME"])
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = home / "server.log"
    command = [sys.executable, "-m", "streamlit", "run", "dashboard/app.py"]
    command += ["--server.port", str(port), "--server.headless", "true"]
    with log.open("w") as out:
        process = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    made = Server(f"http://127.0.0.1:{port}", home, log)
    pytestconfig.stash[SERVER] = made
    try:
        _wait_until_up(made, process)
        yield made
    finally:
        _end_runs()
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture
def visitor(browser: Browser, server: Server, request: pytest.FixtureRequest) -> Iterator[Callable[..., Page]]:
    """``visitor(width=, height=, locale=, touch=)``: a page of a browser that was never here; pictures of it on
    failure. ``touch``: fingers and no mouse, as on a phone or a tablet."""
    contexts: list[BrowserContext] = []

    def come(width: int = 1440, height: int = 900, locale: str = "en-GB", touch: bool = False) -> Page:
        context = browser.new_context(
            base_url=server.url, viewport={"width": width, "height": height}, locale=locale, timezone_id="UTC",
            has_touch=touch, is_mobile=touch,
        )  # fmt: skip
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        return context.new_page()

    yield come
    if getattr(request.node, "went_wrong", False):
        _photograph(request.node.name, contexts)
    for context in contexts:
        context.close()


@pytest.fixture
def page(visitor: Callable[..., Page]) -> Page:
    """A wide English page, not yet anywhere."""
    return visitor()


@pytest.fixture
def run(server: Server) -> Iterator[Run]:
    """A run of the default victim with a small map that has just been started; ended by force if a test leaves it."""
    started = _start(FEW, **SHORT)
    yield started
    _end(started)


@pytest.fixture(scope="package")
def done_run(server: Server) -> Run:
    """A finished run of the default victim: one that a test has left, or else one of its own with a small map."""
    for left in list_runs(recordings=False):
        ended_well = left.status == "done" and left.frame_count > 2
        if ended_well and left.spec.victim == victims.DEFAULT and left.spec.defence == "mcl":
            return left
    run = _start(FEW)
    deadline = time.monotonic() + RUN_PATIENCE / 1000
    while run.status not in ENDED and time.monotonic() < deadline:
        time.sleep(0.2)
    assert run.status == "done", (run.folder / "worker.log").read_text()
    return run


def _start(points: int, **settings: float) -> Run:
    card = victims.card_of(victims.DEFAULT)
    return supervisor.start(Spec(victim=card.name, images=card.data, points=points, settings=settings))


def _end(run: Run) -> None:
    """Ends the run's worker if it is still at work."""
    if run.status not in ENDED:
        with contextlib.suppress(BadInput):  # it may end by itself meanwhile
            supervisor.kill(run)


def _end_runs() -> None:
    for run in list_runs(recordings=False):
        _end(run)


def _wait_until_up(server: Server, process: subprocess.Popen[Any]) -> None:
    deadline = time.monotonic() + PATIENCE / 1000
    while time.monotonic() < deadline:
        assert process.poll() is None, f"the server did not start:\n{server.log.read_text()}"
        try:
            with urllib.request.urlopen(f"{server.url}/_stcore/health", timeout=5):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.05)
    pytest.fail(f"the server is not up:\n{server.log.read_text()}")


def _photograph(name: str, contexts: list[BrowserContext]) -> None:
    RESULTS.mkdir(exist_ok=True)
    safe = "".join(sign if sign.isalnum() else "-" for sign in name)
    for number, page in enumerate(page for context in contexts for page in context.pages):
        page.screenshot(path=RESULTS / f"{safe}-{number}.png")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Tells the fixtures of a failure, and shows the logs of the server and of the newest worker with it."""
    report: Any = yield
    if report.failed and (server := item.config.stash.get(SERVER, None)) is not None:
        item.went_wrong = True  # type: ignore[attr-defined]
        for log in [server.log, *sorted((server.home / "runs").glob("*/worker.log"))[-1:]]:
            if log.exists() and (text := log.read_text(errors="replace")[-6000:]):
                report.sections.append((str(log), text))
    return report
