"""Parcels: what goes in comes out, below its place only, and a run comes home with its own paths."""

from __future__ import annotations

import io
import json
import os
import tarfile
from pathlib import Path

import pytest

from core.fleet.engines import parcel


def test_a_folder_comes_out_as_it_went_in_less_what_is_left_out(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    for name in ("run.json", "frames/0.npz", "checkpoints/1.safetensors", "worker.lock", "deep/worker.lock"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    parcel.unpack(parcel.of_folder(folder, ("checkpoints", "worker.lock")), tmp_path / "out")
    found = {str(file.relative_to(tmp_path / "out")): file.read_text() for file in (tmp_path / "out").rglob("*.*")}
    assert found == {name: name for name in ("run.json", "frames/0.npz", "deep/worker.lock")}


def test_links_go_as_what_they_lead_to(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"weights")
    (tmp_path / "soft.pt").symlink_to(tmp_path / "real")
    os.link(tmp_path / "real", tmp_path / "hard.pt")
    files = [tmp_path / "real", tmp_path / "soft.pt", tmp_path / "hard.pt"]
    parcel.unpack(parcel.of_files(files, tmp_path), tmp_path / "out")
    out = sorted((tmp_path / "out").iterdir())
    assert [(file.name, file.is_symlink(), file.read_bytes()) for file in out] == [
        (name, False, b"weights") for name in ("hard.pt", "real", "soft.pt")
    ]


@pytest.mark.parametrize("absolute", [False, True])
def test_nothing_is_written_outside(tmp_path: Path, absolute: bool) -> None:
    content, outside = io.BytesIO(), tmp_path / "in" / "out.txt"
    name = str(outside) if absolute else "../out.txt"
    with tarfile.open(fileobj=content, mode="w") as tar:
        entry = tarfile.TarInfo(name)
        entry.size = 1
        tar.addfile(entry, io.BytesIO(b"x"))
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    place = tmp_path / "in" / "here"
    try:
        parcel.unpack(content.getvalue(), place)
    except tarfile.TarError:
        assert not absolute, "a path from the root is read as one inside"
    assert not outside.exists()
    assert not (place / "link").exists()


def test_a_run_comes_home_with_its_own_paths(tmp_path: Path) -> None:
    there, here = tmp_path / "node", tmp_path / "runs" / "one"
    for folder in (there, here):
        (folder / "checkpoints").mkdir(parents=True)
    (there / "run.json").write_text(json.dumps({"weights": "/node/x/モデル.pt", "status": "done"}, ensure_ascii=False))
    (there / "events.jsonl").write_text('{"message": "/node/x/\\u30e2\\u30c7\\u30eb.pt is broken."}\n')
    (there / "checkpoints" / "2").write_text("new")
    (here / "run.json").write_text("{}")
    (here / "checkpoints" / "1").write_text("old")
    (here / "kept").write_text("kept")
    parcel.bring_home(parcel.of_folder(there), here, {"/node/x/モデル.pt": '/home/"my" models/モデル.pt'})
    assert json.loads((here / "run.json").read_bytes()) == {"weights": '/home/"my" models/モデル.pt', "status": "done"}
    assert json.loads((here / "events.jsonl").read_bytes())["message"] == '/home/"my" models/モデル.pt is broken.'
    assert [file.name for file in (here / "checkpoints").iterdir()] == ["2"]
    assert (here / "kept").exists()
    assert [folder.name for folder in here.parent.iterdir()] == ["one"]


def test_a_parcel_that_is_none_changes_nothing(tmp_path: Path) -> None:
    here = tmp_path / "runs" / "one"
    here.mkdir(parents=True)
    (here / "run.json").write_text("{}")
    with pytest.raises(tarfile.TarError):
        parcel.bring_home(b"no parcel at all", here, {})
    assert (here / "run.json").read_text() == "{}"
    assert [folder.name for folder in here.parent.iterdir()] == ["one"]
