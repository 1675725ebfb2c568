"""What is kept of a fleet that becomes a recording."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from core.fleet import listing, place, recording
from core.fleet.place import Standing
from core.fleet.rows import Row

ROW = Row("signs-badnets.safetensors", "/home/somebody/models/signs-badnets.safetensors", "signs", verdict="strong",
          risk=90.0, step="purify", run="r1", seconds={"scan": 3.0, "load": 1.0})  # fmt: skip


def test_paths_stay_behind_and_times_are_added_up(tmp_path: Path) -> None:
    picture = place.picture_of(tmp_path / "fleet", "r1")
    picture.parent.mkdir(parents=True)
    picture.write_bytes(b"png")
    listed = tmp_path / "models.csv"
    listed.write_text("weights,images\n")
    clean = replace(ROW, file="b.pt", verdict="none", run="r2", seconds={"scan": 2.5})
    standing = Standing([ROW, clean], 1.0, stage="done", created="2026-01-02T03:04:05+00:00", worker={"pid": 1})
    made = recording.record(standing, tmp_path / "fleet", listed, tmp_path / "out")
    kept = place.read_standing(made.folder)
    assert kept is not None
    assert [row.weights for row in kept.models] == ["signs-badnets.safetensors"] * 2
    assert kept.seconds == 6.5
    assert kept.worker is None
    assert made.created == standing.created
    assert [path.name for path in (made.folder / "pictures").iterdir()] == ["r1.png"]
    assert "somebody" not in (made.folder / place.STANDING).read_text()


def test_the_list_is_one_that_a_fleet_takes(tmp_path: Path) -> None:
    for model in recording.MODELS:
        (tmp_path / model.file).write_bytes(b"")  # whatever is there is not trained again
    entries = listing.read(recording.listed_in(tmp_path))
    assert [entry.file for entry in entries] == [model.file for model in recording.MODELS]
    assert {entry.images for entry in entries} == {"signs", "digits"}
    assert all(entry.exposure for entry in entries)
