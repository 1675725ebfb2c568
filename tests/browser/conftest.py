"""The dashboard as a visitor has it: the real server, the machine's Chromium, and a run to look at.

Server and browser live for this folder's tests only: while Playwright's synchronous interface is up, an event loop
runs in the main thread, and no other test may start one there.
"""

from __future__ import annotations

import contextlib
import json
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
from playwright.sync_api import Browser, Page, expect, sync_playwright

from core import paths
from core.errors import BadInput
from core.runs import supervisor
from core.runs.record import ENDED, Run, list_runs
from core.runs.spec import Spec
from tests.browser.visit import PATIENCE, Server

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
SHORT = {"anneal": 60}  # settings of runs: half the steps, and the attack goes
DIGITS = "digits-badnets"  # the shipped victim that is purified soonest, and whose recording has the fewest points
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


@pytest.fixture(scope="package")
def windows(browser: Browser) -> Iterator[dict[tuple[str, bool], Page]]:
    """Those that no test looks at, by locale and touch. A window that has shown a page draws the next for half of the
    work: it has compiled what Streamlit and plotly.js are made of."""
    kept: dict[tuple[str, bool], Page] = {}
    yield kept
    for page in kept.values():
        page.context.close()


@pytest.fixture
def visitor(
    browser: Browser, server: Server, windows: dict[tuple[str, bool], Page], request: pytest.FixtureRequest
) -> Iterator[Callable[..., Page]]:
    """``visitor(width=, height=, locale=, touch=)``: a page that knows of no earlier visit; pictures of it on failure.
    ``touch``: fingers and no mouse, as on a phone or a tablet."""
    taken: list[tuple[tuple[str, bool], Page]] = []

    def come(width: int = 1440, height: int = 900, locale: str = "en-GB", touch: bool = False) -> Page:
        page = windows.pop((locale, touch), None)
        if page is None:
            context = browser.new_context(
                base_url=server.url, locale=locale, timezone_id="UTC", has_touch=touch, is_mobile=touch
            )
            context.set_default_timeout(PATIENCE)
            page = context.new_page()
        taken.append(((locale, touch), page))
        page.set_viewport_size({"width": width, "height": height})
        return page

    yield come
    went_wrong = getattr(request.node, "went_wrong", False)
    if went_wrong:
        _photograph(request.node.name, [page for _, page in taken if not page.is_closed()])
    for kind, page in taken:
        if went_wrong or page.is_closed() or kind in windows:
            page.context.close()
        else:
            _forget(page)
            windows[kind] = page


def _forget(page: Page) -> None:
    """Leaves the page, and with it the session at the server; of the visit nothing stays."""
    page.evaluate("() => { localStorage.clear(); sessionStorage.clear() }")
    page.context.clear_cookies()
    page.goto("about:blank")
    page.emulate_media(color_scheme="light")


@pytest.fixture
def page(visitor: Callable[..., Page]) -> Page:
    """A wide English page, not yet anywhere."""
    return visitor()


@pytest.fixture
def run(server: Server) -> Iterator[Run]:
    """A run of the digits with a small map that has just been started; ended by force if a test leaves it."""
    started = supervisor.start(Spec(victim=DIGITS, images="digits", points=FEW, projection="pca", settings=SHORT))
    yield started
    _end(started)


@pytest.fixture(scope="package")
def done_run(server: Server) -> Run:
    """A finished run of the digits: their recording, as it was before it became one."""
    return finished(server.home, DIGITS)


def finished(home: Path, recording: str, name: str = "done", **result: Any) -> Run:
    """A finished run that is made of a recording, in a home; made once for each name.

    Args:
        result: what it came to besides, or in place of what it did.
    """
    folder = home / "runs" / f"20260101-000000-{recording}-{name}"
    if not folder.exists():
        shutil.copytree(paths.RECORDINGS / recording, folder)
        data = json.loads((folder / "run.json").read_text())
        data |= {"id": folder.name, "recording": False, "result": data["result"] | result}
        (folder / "run.json").write_text(json.dumps(data))
        events = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
        events[-1]["result"] |= result
        (folder / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
    return Run(folder)


def _end(run: Run) -> None:
    """Ends the run's worker if it is still at work."""
    if run.status not in ENDED:
        with contextlib.suppress(BadInput):  # it may end by itself meanwhile
            supervisor.kill(run)


def _end_runs() -> None:
    for run in list_runs(recordings=False):
        _end(run)


@pytest.fixture
def begun() -> Iterator[list[Run]]:
    """The runs that a test has begun; those that it leaves are ended by force."""
    left: list[Run] = []
    yield left
    for run in left:
        with contextlib.suppress(BadInput):  # it may be done by then
            supervisor.kill(run)


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


def _photograph(name: str, pages: list[Page]) -> None:
    RESULTS.mkdir(exist_ok=True)
    safe = "".join(sign if sign.isalnum() else "-" for sign in name)
    for number, page in enumerate(pages):
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
