from __future__ import annotations

import time
from pathlib import Path

import psutil
import pytest

from core import inspection
from core.errors import BadInput
from core.runs import process
from core.runs.files import write_json
from core.runs.spec import Spec
from core.victims import card_of

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
    write_json(inspection.folder_of(key) / "note.json", {"format": 1, "spec": SPEC.to_dict()} | entries)


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


def test_one_whose_process_is_gone_has_ended() -> None:
    note("gone", worker={"pid": 1, "started": 1.0}, result={"found": []})
    found = inspection.state("gone")
    assert found is not None
    assert found.ended
    assert found.failure["code"] == "inspection_lost"
    assert found.result == {"found": []}


def test_one_that_is_at_work_says_what_it_does() -> None:
    note("busy", worker=process.identity(), step="images", done=3, total=7)
    found = inspection.state("busy")
    assert found is not None
    assert (found.ended, found.step, found.done, found.total) == (False, "images", 3, 7)


def test_cancelling_ends_the_process_and_forgets() -> None:
    key = inspection.start(SPEC)
    worker = inspection._worker(key)
    assert worker is not None
    inspection.cancel(key)
    assert inspection.state(key) is None
    assert process.find(worker) is None or not psutil.pid_exists(worker["pid"])


@pytest.mark.parametrize("key", [None, "", "..", "../x", "nothere"])
def test_a_key_that_is_none_finds_nothing(key: str | None) -> None:
    assert inspection.state(key) is None


def test_only_the_newest_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspection, "MOST_KEPT", 3)
    for number in range(5):
        note(f"k{number}")
    inspection._sweep()
    assert len(list(inspection.folder_of("x").parent.iterdir())) == 3
