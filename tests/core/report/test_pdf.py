"""Printing: the search for a browser, its call, its failures with stand-ins, and the real one where there is one."""

from __future__ import annotations

import contextlib
import os
import re
import time
import zlib
from pathlib import Path

import psutil
import pytest

from core import report
from core.errors import BadInput
from core.report import pdf
from core.words import LANGUAGES
from tests.core.report.conftest import Make, stand_in

posix = pytest.mark.skipif(os.name != "posix", reason="the stand-ins are shell scripts")


@posix
def test_a_browser_is_found_by_name_and_the_users_choice_comes_first(
    no_browser: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert pdf.find_browser() is None
    edge = stand_in(no_browser, "", "microsoft-edge")
    assert pdf.find_browser() == edge
    mine = stand_in(tmp_path / "mine", "", "my-chrome")
    monkeypatch.setenv("DISSOLVE_BROWSER", str(mine))
    assert pdf.find_browser() == mine
    monkeypatch.setenv("DISSOLVE_BROWSER", str(tmp_path / "gone"))
    assert pdf.find_browser() == edge
    assert pdf.browser_name(edge) == "Edge"
    assert pdf.browser_name(mine) == "Chrome"


def test_without_a_browser_one_sentence_says_what_to_do(no_browser: Path) -> None:
    with pytest.raises(BadInput, match=r"install Chromium") as error:
        pdf.render("<p>")
    assert error.value.code == "pdf_no_browser"


@pytest.mark.parametrize("sandbox", [True, False])
def test_the_browser_has_a_profile_of_its_own_and_finds_no_host(tmp_path: Path, sandbox: bool) -> None:
    call = pdf.command(
        Path("/usr/bin/chromium"), tmp_path / "a.html", tmp_path / "a.pdf", tmp_path / "profile", sandbox
    )
    assert ("--no-sandbox" in call) is not sandbox
    assert f"--user-data-dir={tmp_path / 'profile'}" in call
    assert "--host-resolver-rules=MAP * ~NOTFOUND" in call


@posix
def test_the_sandbox_is_left_out_for_root_alone(tmp_path: Path) -> None:
    browser = stand_in(tmp_path / "bin", f'echo "$@" > "{tmp_path / "call"}"; printf "%%PDF-1.4" > "$out"')
    pdf.render("<p>", browser)
    assert ("--no-sandbox" in (tmp_path / "call").read_text()) is (os.geteuid() == 0)


@posix
@pytest.mark.parametrize(
    ("script", "reason"), [("exit 3", "exit code 3"), ("exit 0", "it wrote no PDF"), ('echo no > "$out"', "no PDF")]
)
def test_a_browser_that_fails_is_told_of(tmp_path: Path, script: str, reason: str) -> None:
    with pytest.raises(BadInput, match=reason) as error:
        pdf.render("<p>", stand_in(tmp_path / "bin", script))
    assert error.value.code == "pdf_failed"
    assert error.value.facts["browser"] == "chromium"


def ended(number: int) -> bool:
    """Whether a process ends, or has ended, even if nobody has asked what became of it."""
    with contextlib.suppress(psutil.NoSuchProcess):
        child = psutil.Process(number)
        deadline = time.monotonic() + 30
        while child.status() != psutil.STATUS_ZOMBIE:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
    return True


@posix
def test_a_browser_that_hangs_is_ended_with_what_it_started(tmp_path: Path) -> None:
    note = tmp_path / "child"
    browser = stand_in(tmp_path / "bin", f'sleep 600 & echo $! > "{note}"; wait')
    with pytest.raises(BadInput, match="longer than 1 s"):
        pdf.render("<p>", browser, seconds=1)
    assert ended(int(note.read_text()))


@posix
def test_the_page_is_printed_and_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    note = tmp_path / "out"
    browser = stand_in(tmp_path / "bin", f'printf "%%PDF-1.4" > "$out"; printf "%s" "$out" > "{note}"')
    monkeypatch.setenv("DISSOLVE_BROWSER", str(browser))
    assert pdf.write("<p>", tmp_path / "new" / "report.pdf").read_bytes() == b"%PDF-1.4"
    assert not Path(note.read_text()).parent.exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="cannot be written"):
        pdf.write("<p>", tmp_path / "file" / "report.pdf")


def sheets(content: bytes) -> tuple[int, tuple[float, float]]:
    """How many pages a PDF has, and the size of the first, in points."""
    streams = re.findall(rb"stream\r?\n(.*?)endstream", content, re.DOTALL)
    unpacked = b"".join(_inflated(stream) for stream in streams) + content
    box = re.search(rb"/MediaBox\s*\[\s*[\d.]+\s+[\d.]+\s+([\d.]+)\s+([\d.]+)", unpacked)
    assert box is not None
    return len(re.findall(rb"/Type\s*/Page\b", unpacked)), (float(box[1]), float(box[2]))


def _inflated(stream: bytes) -> bytes:
    try:
        return zlib.decompress(stream)
    except zlib.error:
        return b""


@pytest.mark.browser
@pytest.mark.skipif(pdf.find_browser() is None, reason="no Chromium on this machine")
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_report_prints_on_a_sheet_of_a4_and_its_account_on_another(make_run: Make, language: str) -> None:
    pages, size = sheets(pdf.render(report.html(make_run(), language)))
    assert pages == 2
    assert size == pytest.approx((595, 842), abs=1.5)
