from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from core import paths

ROOT = Path(__file__).resolve().parents[2]
# what every worker gets: our environment, and the project's folder to stand in
SCRIPT = f"""
import subprocess, sys
from core import paths
say = "from core import paths; print(paths.home()); print(paths.data_folder())"
subprocess.run([sys.executable, "-c", say], cwd={str(ROOT)!r}, check=True)
"""


def test_workers_mean_the_same_relative_home_as_who_started_them(tmp_path: Path) -> None:
    environment = os.environ | {"DISSOLVE_HOME": "mine", "DISSOLVE_DATA": "../sets", "PYTHONPATH": str(ROOT)}
    said = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert said.stdout.split() == [str(tmp_path / "mine"), str(tmp_path.parent / "sets")]


def test_a_relative_home_stays_where_it_was_first_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DISSOLVE_HOME", "mine")
    assert paths.uploads_folder() == tmp_path / "mine" / "uploads"
    monkeypatch.chdir("/")
    assert paths.home() == tmp_path / "mine"


def test_without_a_word_it_is_below_the_users_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DISSOLVE_HOME", "")
    monkeypatch.delenv("DISSOLVE_DATA", raising=False)
    assert paths.home() == tmp_path / ".dissolve"
    assert paths.data_folder() == tmp_path / ".dissolve" / "data"


def test_what_cannot_be_a_path_is_no_file_and_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("circle").symlink_to("circle")
    os.mkfifo("pipe")
    for given in ("~nobody-of-this-name/x", "x" * 300, "a\0b", "circle", "circle/x", "pipe", ".", ""):
        assert not paths.is_file(given)
    for given in ("~nobody-of-this-name/x", "x" * 300, "a\0b", "circle"):
        assert not paths.exists(given)
    assert paths.absolute("circle") == tmp_path.resolve() / "circle"
    assert paths.absolute("~nobody-of-this-name") == tmp_path.resolve() / "~nobody-of-this-name"


def test_a_tilde_is_the_users_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "w.pt").touch()
    assert paths.is_file("~/w.pt")
    assert paths.exists("~")
    assert paths.absolute("~/w.pt") == (tmp_path / "w.pt").resolve()
