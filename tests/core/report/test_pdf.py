"""Printing: the search for a browser, its call, its failures with stand-ins, and the real one where there is one."""

from __future__ import annotations

import contextlib
import os
import re
import stat
import time
import zlib
from pathlib import Path

import psutil
import pytest

from core import report
from core.errors import BadInput
from core.report import pdf
from core.words import LANGUAGES
from tests.core.report.conftest import Make

posix = pytest.mark.skipif(os.name != "posix", reason="the stand-ins are shell scripts")


def stand_in(folder: Path, script: str, name: str = "chromium") -> Path:
    """A browser that does what the script says; ``$out`` is where it was told to write."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(
        '#!/bin/sh\nfor a in "$@"; do case "$a" in --print-to-pdf=*) out="${a#--print-to-pdf=}";; esac; done\n' + script
    )
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.fixture
def nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A path on which there is no browser, only a shell's tools."""
    for name in ("DISSOLVE_BROWSER", "PROGRAMFILES", "PROGRAMFILES(X86)", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pdf, "MAC", ())
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path / "bin"


@posix
def test_a_browser_is_found_by_name_and_the_users_choice_comes_first(
    nothing: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert pdf.find_browser() is None
    edge = stand_in(nothing, "", "microsoft-edge")
    assert pdf.find_browser() == edge
    mine = stand_in(tmp_path / "mine", "", "my-chrome")
    monkeypatch.setenv("DISSOLVE_BROWSER", str(mine))
    assert pdf.find_browser() == mine
    monkeypatch.setenv("DISSOLVE_BROWSER", str(tmp_path / "gone"))
    assert pdf.find_browser() == edge
    assert pdf.browser_name(edge) == "Edge"
    assert pdf.browser_name(mine) == "Chrome"


def test_without_a_browser_one_sentence_says_what_to_do(nothing: Path) -> None:
    with pytest.raises(BadInput, match=r"install Chromium") as error:
        pdf.render("<p>")
    assert error.value.code == "pdf_no_browser"


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="no root here")
@pytest.mark.parametrize(("user", "without"), [(0, True), (1000, False)])
def test_the_sandbox_is_left_out_for_root_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, user: int, without: bool
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: user)
    call = pdf.command(Path("/usr/bin/chromium"), tmp_path / "a.html", tmp_path / "a.pdf", tmp_path / "profile")
    assert ("--no-sandbox" in call) is without
    assert f"--user-data-dir={tmp_path / 'profile'}" in call
    assert "--host-resolver-rules=MAP * ~NOTFOUND" in call


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
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    browser = stand_in(tmp_path / "bin", 'printf "%%PDF-1.4" > "$out"')
    monkeypatch.setenv("DISSOLVE_BROWSER", str(browser))
    assert pdf.write("<p>", tmp_path / "new" / "report.pdf").read_bytes() == b"%PDF-1.4"
    assert list((tmp_path / "tmp").iterdir()) == []
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
def test_a_report_prints_on_one_sheet_of_a4(make_run: Make, language: str) -> None:
    pages, size = sheets(pdf.render(report.html(make_run(), language)))
    assert pages == 1
    assert size == pytest.approx((595, 842), abs=1.5)
