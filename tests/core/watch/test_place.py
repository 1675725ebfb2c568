from __future__ import annotations

from pathlib import Path

import pytest

from core import paths
from core.errors import BadInput
from core.runs import record
from core.watch import place
from tests.conftest import Started


def test_a_recording_keeps_nothing_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISSOLVE_HOME", str(tmp_path))
    run = record.open("signs-badnets")
    assert place.folder_of(run) == tmp_path / "watch" / "signs-badnets"
    assert paths.RECORDINGS not in place.folder_of(run).parents


def test_inboxes_of_the_same_name_have_folders_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISSOLVE_HOME", str(tmp_path))
    run = record.open("signs-badnets")
    north, south = (place.inbox_folder(run, tmp_path / side / "Kamera 1") for side in ("north", "south"))
    assert north != south
    assert north.name.startswith("kamera-1-")
    north.mkdir(parents=True)
    assert place.watched_inboxes(run) == []
    (north / place.ABOUT).write_text('{"inbox": "x"}')
    assert place.watched_inboxes(run) == [north]
    assert place.about(north) == {"inbox": "x"}
    assert place.about(south) == {}


def test_a_watch_is_begun_on_a_folder_that_is_there(
    tmp_path: Path, no_worker_starts: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISSOLVE_HOME", str(tmp_path))
    run = record.open("signs-badnets")
    with pytest.raises(BadInput) as caught:
        place.start(run, tmp_path / "nowhere")
    assert caught.value.code == "inbox_not_found"
    (tmp_path / "inbox").mkdir()
    folder = place.start(run, tmp_path / "inbox")
    asked = ["core", "watch", str(run.folder), "--inbox", str(tmp_path / "inbox"), "--note"]
    assert no_worker_starts == [asked]
    assert folder == place.inbox_folder(run, tmp_path / "inbox")
    job = place.job(folder)
    assert job is not None
    assert job.at_work
    assert place.start(run, tmp_path / "inbox") == folder
    assert no_worker_starts == [asked], "one watch of an inbox at a time"
