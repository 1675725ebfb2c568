from __future__ import annotations

from pathlib import Path

import pytest

from core.files import write_json
from dashboard import download
from tests.core.data.folders import fill


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DISSOLVE_HOME", str(tmp_path))
    (tmp_path / "cache").mkdir()
    return tmp_path


def test_no_download_has_no_state() -> None:
    assert download.state("cifar10") is None


def test_how_far_it_came_can_be_read(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)
    fill(home / "photos", ["one", "two"])
    assert download.fetch("photos") == 0  # read from the disk, and reports as a download does
    now = download.state("photos")
    assert now is not None
    assert now.done == now.total > 0
    assert (now.stage, now.ended, now.failure) == ("fetch", True, {})


def test_a_failure_is_kept_with_its_facts() -> None:
    assert download.fetch("no-such-set") == 1
    now = download.state("no-such-set")
    assert now is not None
    assert now.ended
    assert now.failure["code"] == "no_such_image_set"
    assert now.failure["facts"]["name"] == "no-such-set"


def test_a_download_whose_process_is_gone_has_ended() -> None:
    write_json(download.note_of("gtsrb"), {"done": 1, "total": 5, "worker": {"pid": 1, "started": 1.0}})
    now = download.state("gtsrb")
    assert now is not None
    assert now.ended
