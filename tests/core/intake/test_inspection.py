from __future__ import annotations

import io
import json
import os
import time
from pathlib import Path

import psutil
import pytest

from core.errors import BadInput
from core.files import write_json
from core.intake import inspection, leftovers, uploads
from core.jobs import process
from core.runs.spec import Spec
from core.victims import card_of
from tests.conftest import Started
from tests.core.intake.test_leftovers import at_work

VICTIM = card_of("digits-badnets")
SPEC = Spec(weights=str(VICTIM.weights), images="digits", device="cpu")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DISSOLVE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def ended(key: str) -> inspection.Inspection:
    for _ in range(1200):
        found = inspection.state(key)
        assert found is not None
        if found.ended:
            return found
        time.sleep(0.1)
    raise AssertionError("the inspection does not end")


def note(key: str, **entries: object) -> None:
    inspection.folder_of(key).mkdir(parents=True, exist_ok=True)
    write_json(inspection.folder_of(key) / "note.json", {"format": inspection.FORMAT, "spec": SPEC.to_dict()} | entries)


def test_an_inspection_is_done_by_a_process_of_its_own_and_found_again() -> None:
    key = inspection.start(SPEC)
    found = ended(key)
    assert found.failure == {}
    assert found.result["arch"] == "small"
    assert found.pictures.exists()
    assert found.spec.weights == str(VICTIM.weights)
    before = (inspection.folder_of(key) / "note.json").stat().st_mtime_ns
    assert inspection.start(SPEC) == key  # the same question: the answer is there
    assert (inspection.folder_of(key) / "note.json").stat().st_mtime_ns == before


def test_a_bad_file_ends_it_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "net.pth").write_bytes(b"no weights at all")
    found = ended(inspection.start(Spec(weights=str(tmp_path / "net.pth"), images="digits")))
    assert found.failure["code"] == "weights_unknown_format"
    assert "net.pth" in found.failure["message"]


def test_a_class_of_the_users_own_is_never_executed_from_here(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(f"open({str(tmp_path / 'executed')!r}, 'w')\nclass Net: pass\n")
    with pytest.raises(BadInput) as raised:
        inspection.start(Spec(weights=str(VICTIM.weights), images="digits", model_class=f"{tmp_path}/net.py:Net"))
    assert raised.value.code == "class_from_page"
    assert not (tmp_path / "executed").exists()


def test_what_is_wrong_with_the_order_is_told_at_once() -> None:
    with pytest.raises(BadInput) as raised:
        inspection.start(Spec(weights="/nowhere", images="digits"))
    assert raised.value.code == "weights_not_found"


def test_another_file_is_another_question(tmp_path: Path) -> None:
    file = tmp_path / "net.pth"
    file.write_bytes(b"1")
    spec = Spec(weights=str(file), images="digits")
    first = inspection.key_of(spec)
    assert inspection.key_of(spec) == first
    assert inspection.key_of(Spec(weights=str(file), images="digits", arch="small")) != first
    file.write_bytes(b"22")
    assert inspection.key_of(spec) != first


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for part in ("train", "test"):
        for name in ("cat", "dog"):
            (tmp_path / "photos" / part / name).mkdir(parents=True)
            (tmp_path / "photos" / part / name / "1.png").write_bytes(b"first")
    return tmp_path / "photos"


def change(photos: Path, how: str) -> None:
    picture = photos / "train" / "cat" / "1.png"
    if how == "written over":
        stat = picture.stat()
        picture.write_bytes(b"other")
        os.utime(picture, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    elif how == "longer":
        stat = picture.stat()
        picture.write_bytes(b"longer")
        os.utime(picture, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    elif how == "renamed":
        picture.rename(picture.with_name("2.png"))
    elif how == "gone":
        picture.unlink()
    else:
        (picture.parent / "2.png").write_bytes(b"x")


@pytest.mark.parametrize("how", ["written over", "longer", "renamed", "gone", "one more"])
def test_a_picture_that_changed_in_a_class_folder_is_another_question(photos: Path, how: str) -> None:
    spec = Spec(weights=str(VICTIM.weights), images=str(photos))
    first = inspection.key_of(spec)
    assert inspection.key_of(spec) == first
    change(photos, how)
    assert inspection.key_of(spec) != first


@pytest.mark.parametrize("how", ["renamed", "gone", "one more"])
def test_of_a_huge_folder_so_many_files_are_looked_at_and_every_class_folder(photos: Path, how: str) -> None:
    """Six entries are the folders; no picture is looked at, but its class folder's time tells."""
    spec = Spec(weights=str(VICTIM.weights), images=str(photos))
    first = inspection.key_of(spec, most=6)
    change(photos, "written over")
    assert inspection.key_of(spec, most=6) == first
    os.utime(photos / "train" / "cat", (1e9, 1e9))
    first = inspection.key_of(spec, most=6)
    change(photos, how)
    assert inspection.key_of(spec, most=6) != first


def test_one_whose_process_is_gone_has_ended() -> None:
    note("gone", worker={"pid": 1, "started": 1.0}, result={"found": []})
    found = inspection.state("gone")
    assert found is not None
    assert found.ended
    assert found.failure["code"] == "inspection_lost"
    assert found.result == {"found": []}


def test_one_that_is_at_work_says_what_it_does() -> None:
    note("busy", worker=process.identity(), stage="images", done=3, total=7, left=2.5)
    found = inspection.state("busy")
    assert found is not None
    assert (found.ended, found.step, found.done, found.total, found.seconds_left) == (False, "images", 3, 7, 2.5)


def test_cancelling_ends_the_process_and_forgets() -> None:
    key = inspection.start(SPEC)
    worker = json.loads((inspection.folder_of(key) / "worker.json").read_text())
    inspection.cancel(key)
    assert inspection.state(key) is None
    assert process.find(worker) is None or not psutil.pid_exists(worker["pid"])


def test_cancelling_while_it_unpacks_leaves_nothing_half_unpacked() -> None:
    upload = uploads.keep("images", "photos.zip", io.BytesIO(b"PK"))
    worker = at_work(upload.folder, f"{leftovers.ROOM}/.photos.aaaa")
    note("busy", stage="unpack")
    write_json(inspection.folder_of("busy") / "worker.json", process.identity(worker.pid))
    assert (upload.file.parent / ".photos.aaaa" / "0.png").exists()
    inspection.cancel("busy")
    assert [entry.name for entry in upload.file.parent.iterdir()] == ["photos.zip"]
    worker.wait()


def test_the_next_one_sweeps_what_a_killed_one_left(tmp_path: Path) -> None:
    upload = uploads.keep("images", "photos.zip", io.BytesIO(b"PK"))
    worker = at_work(upload.folder, f"{leftovers.ROOM}/.photos.aaaa")
    worker.kill()
    worker.wait()
    (tmp_path / "net.pth").write_bytes(b"no weights at all")
    ended(inspection.start(Spec(weights=str(tmp_path / "net.pth"), images="digits")))
    assert [entry.name for entry in upload.file.parent.iterdir()] == ["photos.zip"]


@pytest.mark.parametrize("key", [None, "", "..", "../x", "nothere"])
def test_a_key_that_is_none_finds_nothing(key: str | None) -> None:
    assert inspection.state(key) is None


def test_only_the_newest_are_kept() -> None:
    for number in range(5):
        note(f"k{number}")
    inspection.sweep(most=3)
    assert len(list(inspection.folder_of("x").parent.iterdir())) == 3


def test_one_that_is_at_work_is_never_swept() -> None:
    note("old", worker=process.identity())
    write_json(inspection.folder_of("old") / "worker.json", process.identity())
    note("new")
    os.utime(inspection.folder_of("old"), (1e9, 1e9))
    inspection.sweep(most=1)
    assert inspection.folder_of("old").exists()


def test_two_that_start_the_same_at_once_share_it(tmp_path: Path, no_worker_starts: Started) -> None:
    """Two servers on one home: each looks whether there is one before it begins another."""
    (tmp_path / "net.pth").write_bytes(b"no weights at all")
    spec = Spec(weights=str(tmp_path / "net.pth"), images="digits")
    held: list[bool] = []

    def others_wait() -> None:
        with leftovers.held(inspection.folder_of("x").parent, wait=False) as theirs:
            held.append(theirs)

    no_worker_starts.meanwhile = others_wait
    assert inspection.start(spec) == inspection.start(spec) == inspection.key_of(spec.resolved())
    assert held == [False]
    assert len(no_worker_starts) == 1
