from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from core import paths
from core.intake.leftovers import LOCK, ROOM, held, sweep

ROOT = Path(__file__).resolve().parents[3]
HOLDER = """
import sys, time
from pathlib import Path
from core.intake.leftovers import held
folder = Path(sys.argv[1])
with held(folder):
    for half in sys.argv[2:]:
        (folder / half).mkdir(parents=True)
        (folder / half / "0.png").write_bytes(bytes(1000))
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DISSOLVE_HOME", str(tmp_path / "home"))
    paths.uploads_folder().mkdir(parents=True)
    return paths.uploads_folder()


@pytest.fixture
def upload(place: Path) -> Path:
    """An upload as it is kept: its note, and the archive in its room."""
    folder = place / "0123456789ab"
    (folder / ROOM).mkdir(parents=True)
    (folder / "upload.json").write_text("{}")
    (folder / ROOM / "photos.zip").write_bytes(b"PK")
    return folder


def at_work(folder: Path, *halves: str) -> subprocess.Popen[str]:
    """A process that holds a folder and has written so many halves in it."""
    worker = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder), *halves], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert worker.stdout is not None
    assert worker.stdout.readline() == "held\n"
    return worker


@pytest.fixture
def worker(upload: Path) -> Iterator[subprocess.Popen[str]]:
    """One that unpacks the upload."""
    process = at_work(upload, f"{ROOM}/.photos.aaaa")
    yield process
    process.kill()
    process.wait()


def make_old(folder: Path) -> None:
    os.utime(folder, (1e9, 1e9))


def test_what_a_killed_process_half_unpacked_goes(upload: Path, worker: subprocess.Popen[str]) -> None:
    half = upload / ROOM / ".photos.aaaa"
    make_old(half)
    make_old(upload)
    sweep()
    assert (half / "0.png").exists()  # it is at work, for however long
    worker.kill()
    worker.wait()
    sweep()
    assert not half.exists()
    assert sorted(entry.name for entry in upload.rglob("*")) == [LOCK, ROOM, "photos.zip", "upload.json"]


def test_a_half_kept_upload_goes_once_its_process_is_gone(place: Path) -> None:
    half = place / ".ba9876543210"
    half.mkdir()
    worker = at_work(half, ROOM)
    try:
        make_old(half)
        sweep()
        assert (half / ROOM / "0.png").exists()
    finally:
        worker.kill()
        worker.wait()
    make_old(half)
    sweep()
    assert not half.exists()


def test_a_folder_made_this_moment_has_no_lock_yet_and_stays(place: Path) -> None:
    new = place / ".ba9876543210"
    new.mkdir()
    sweep()
    assert new.exists()
    make_old(new)
    sweep()
    assert not new.exists()


def test_an_archive_goes_whose_images_were_all_unpacked(upload: Path) -> None:
    (upload / ROOM / "photos").mkdir()
    (upload / ROOM / "photos" / "cat").mkdir()
    sweep()
    assert not (upload / ROOM / "photos.zip").exists()
    assert (upload / ROOM / "photos" / "cat").exists()


def test_what_is_whole_is_left_alone(place: Path, upload: Path) -> None:
    make_old(upload)
    (place / "note.txt").write_text("mine")
    (place / ".DS_Store").write_text("x")
    before = sorted(place.rglob("*"))
    sweep()
    assert sorted(place.rglob("*")) == before


def test_a_link_is_not_followed(place: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "1.png").write_bytes(b"x")
    (place / ".0123456789ab").symlink_to(tmp_path / "mine")
    sweep()
    assert (tmp_path / "mine" / "1.png").exists()


def test_nothing_to_sweep_is_no_fault(place: Path) -> None:
    place.rmdir()
    sweep()


def test_two_threads_take_turns(upload: Path) -> None:
    order: list[str] = []

    def second() -> None:
        with held(upload) as mine:
            order.append(f"second {mine}")

    with held(upload) as mine:
        with held(upload, wait=False) as theirs:
            assert (mine, theirs) == (True, False)
        thread = threading.Thread(target=second)
        thread.start()
        order.append("first")
    thread.join(30)
    assert order == ["first", "second True"]
