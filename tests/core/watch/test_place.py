from __future__ import annotations

from pathlib import Path

import pytest

from core import paths
from core.runs import record
from core.watch import place


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
