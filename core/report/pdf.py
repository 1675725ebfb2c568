"""The report as PDF: the HTML file printed by a Chromium that is on this machine, without a network.

One layout serves both, and Japanese is set by the same engine that shows it. No browser is shipped or fetched.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from core.errors import BadInput
from core.report.files import save

NAMES = (
    "chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge",
    "microsoft-edge-stable", "msedge", "brave-browser",
)  # fmt: skip
MAC = ("Google Chrome", "Chromium", "Microsoft Edge", "Brave Browser")
WINDOWS = ("Google/Chrome/Application/chrome.exe", "Chromium/Application/chrome.exe",
           "Microsoft/Edge/Application/msedge.exe")  # fmt: skip
TIMEOUT = 60.0  # seconds for the browser, whose first start on a slow machine takes ten
FLAGS = (
    "--headless", "--disable-gpu", "--no-first-run", "--no-default-browser-check", "--disable-extensions",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic",
    "--disable-dev-shm-usage", "--no-pdf-header-footer", "--host-resolver-rules=MAP * ~NOTFOUND",
)  # fmt: skip


def find_browser() -> Path | None:
    """A Chromium, Chrome, Edge or Brave of this machine: ``$DISSOLVE_BROWSER``, on the path, or at the usual places."""
    return next((path for path in _candidates() if path.is_file() and os.access(path, os.X_OK)), None)


def require_browser() -> Path:
    """As ``find_browser``.

    Raises:
        BadInput: ``pdf_no_browser``.
    """
    browser = find_browser()
    if browser is None:
        raise BadInput(
            "pdf_no_browser",
            "A PDF needs Chromium, Chrome or Edge on this computer, and none was found; open the HTML file and print "
            "it to PDF, or install Chromium.",
        )
    return browser


def browser_name(browser: Path) -> str:
    """What people call it: "Chromium", "Chrome", "Edge" or "Brave"."""
    name = browser.name.lower()
    return next((known for known in ("Chromium", "Edge", "Brave") if known.lower() in name), "Chrome")


def _candidates() -> Iterator[Path]:
    if chosen := os.environ.get("DISSOLVE_BROWSER"):
        yield Path(chosen)
    for name in NAMES:
        if found := shutil.which(name):
            yield Path(found)
    if sys.platform == "darwin":
        for folder in (Path("/Applications"), Path.home() / "Applications"):
            yield from (folder / f"{name}.app/Contents/MacOS/{name}" for name in MAC)
    if os.name == "nt":
        for variable in ("PROGRAMFILES", "PROGRAMFILES(X86)", "LOCALAPPDATA"):
            if root := os.environ.get(variable):
                yield from (Path(root) / name for name in WINDOWS)


def render(html: str, browser: Path | None = None, seconds: float = TIMEOUT) -> bytes:
    """Prints a page of the report as PDF.

    Args:
        html: a self-contained page; scripts and requests find nothing to run on.
        browser: as found by ``find_browser`` by default.
        seconds: after which the browser is ended.

    Raises:
        BadInput: ``pdf_no_browser``, or ``pdf_failed``.
    """
    browser = browser or require_browser()
    with tempfile.TemporaryDirectory(prefix="dissolve-pdf-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        page, out = folder / "report.html", folder / "report.pdf"
        page.write_text(html, encoding="utf-8")
        reason = _print(command(browser, page, out, folder / "profile", not _is_root()), seconds)
        content = out.read_bytes() if out.is_file() else b""
    if reason is None and content.startswith(b"%PDF"):
        return content
    raise BadInput(
        "pdf_failed",
        f"{browser.name} could not print the report ({reason or 'it wrote no PDF'}); open the HTML file and print it "
        "to PDF instead.",
        browser=browser.name,
        reason=reason or "no PDF",
    )


def command(browser: Path, page: Path, out: Path, profile: Path, sandbox: bool = True) -> list[str]:
    """The call of the browser: a profile of its own, no name resolved.

    Args:
        sandbox: False for root, with whom Chromium does not start in its sandbox.
    """
    without = [] if sandbox else ["--no-sandbox"]
    return [str(browser), *FLAGS, *without, f"--user-data-dir={profile}", f"--print-to-pdf={out}", page.as_uri()]


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def _print(call: list[str], seconds: float) -> str | None:
    """Runs the browser; what went wrong, or None."""
    try:
        running = subprocess.Popen(
            call, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
    except OSError as error:
        return str(error.strerror)
    try:
        code = running.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        _end(running)
        return f"it took longer than {seconds:g} s"
    except BaseException:  # Ctrl-C does not reach it, being in a session of its own
        _end(running)
        raise
    return f"exit code {code}" if code else None


def _end(running: subprocess.Popen[bytes]) -> None:
    """Ends the browser with the processes it started: they are a group of their own."""
    if hasattr(os, "killpg"):
        os.killpg(running.pid, signal.SIGKILL)
    else:
        running.kill()
    running.wait()


def write(html: str, path: Path, seconds: float = TIMEOUT) -> Path:
    """Print a page into the file ``path``, which appears whole or not at all.

    Raises:
        BadInput: as ``render``, or ``report_not_written``.
    """
    return save(path, render(html, seconds=seconds))
