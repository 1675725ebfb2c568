"""What was done before is known by its files' content, our version and the settings."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from core.errors import BadInput
from core.fleet import seen
from core.runs import file_hashes
from core.runs.record import Run
from core.runs.spec import Spec

Make = Callable[..., Run]
SPEC = Spec(weights="/a.pt", images="/photos", scan_only=True)


def test_a_key_is_of_content_version_and_settings_and_not_of_places() -> None:
    base = seen.key(SPEC, "w", "i")
    assert seen.key(replace(SPEC, weights="/b.pt", images="/copies", device="cpu"), "w", "i") == base
    others = [
        seen.key(SPEC, "v", "i"), seen.key(SPEC, "w", "j"), seen.key(replace(SPEC, seed=1), "w", "i"),
        seen.key(replace(SPEC, scan_only=False), "w", "i"), seen.key(SPEC, "w", "i", version="99"),
    ]  # fmt: skip
    assert len({base, *others}) == 6


def test_weights_are_read_once_in_each_state(tmp_path: Path) -> None:
    file, stamps = tmp_path / "a.pt", tmp_path / "stamps.json"
    file.write_bytes(b"one")
    noted = seen.Hashes(stamps)
    first = noted.weights(str(file))
    assert first == file_hashes.of_file(file)
    noted.save()
    stamps.write_text(stamps.read_text().replace(first, "what is kept"))
    assert seen.Hashes(stamps).weights(str(file)) == "what is kept", "and not read again"
    file.write_bytes(b"another")
    assert seen.Hashes(stamps).weights(str(file)) == file_hashes.of_file(file) != first


def test_another_content_of_the_same_size_and_time_is_told(tmp_path: Path) -> None:
    file = tmp_path / "a.pt"
    file.write_bytes(b"one")
    noted = seen.Hashes(tmp_path / "stamps.json")
    first, stat = noted.weights(str(file)), file.stat()
    noted.save()
    while file.stat().st_ctime_ns == stat.st_ctime_ns:  # until the system's clock has moved on
        file.write_bytes(b"two")
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    found = seen.Hashes(tmp_path / "stamps.json").weights(str(file))
    assert found == hashlib.sha256(b"two").hexdigest() != first


def test_a_shard_that_changed_is_told(tmp_path: Path) -> None:
    parts = [tmp_path / name for name in ("part-1.safetensors", "part-2.safetensors")]
    for part in parts:
        part.write_bytes(b"numbers")
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": parts[0].name, "b": parts[1].name}}))
    noted = seen.Hashes(tmp_path / "stamps.json")
    first = noted.weights(str(index))
    assert noted.weights(str(index)) == first
    noted.save()
    parts[1].write_bytes(b"other numbers")
    assert seen.Hashes(tmp_path / "stamps.json").weights(str(index)) != first


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    noted = seen.Hashes(tmp_path / "stamps.json")
    for _ in range(2):
        for ask, code in ((noted.weights, "weights_not_found"), (noted.images, "images_not_found")):
            with pytest.raises(BadInput) as caught:
                ask(str(tmp_path / "gone"))
            assert caught.value.code == code
    assert noted.images("digits") == "digits"


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        ("done", "", True),
        ("failed", "near_chance", True),
        ("failed", "out_of_memory", False),
        ("failed", "weights_changed", False),
        ("stopped", "", False),
    ],
)
def test_only_what_lies_in_the_files_is_final(
    make_run: Make, tmp_path: Path, status: str, code: str, expected: bool
) -> None:
    run = make_run(tmp_path / "a.pt", status)
    run.update(failure={"code": code, "message": "", "facts": {}} if code else None)
    assert seen.is_final(run) is expected


def test_a_finished_run_is_copied_into_the_next_fleet(make_run: Make, tmp_path: Path) -> None:
    run = make_run(tmp_path / "a.pt")
    run.update(**{seen.NOTED: "k"})
    (run.folder / "checkpoints").mkdir()
    assert seen.fetched("k", tmp_path / "next") is None
    seen.remember(run)
    (tmp_path / "next").mkdir()
    copy = seen.fetched("k", tmp_path / "next")
    assert copy is not None
    assert copy.folder.parent == tmp_path / "next"
    assert copy.data == run.data
    assert not (copy.folder / "checkpoints").exists()
    assert seen.runs_by_key(tmp_path / "next")["k"].folder == copy.folder


@pytest.mark.parametrize("changes", [{"status": "failed"}, {seen.NOTED: "other"}])
def test_a_run_that_changed_since_is_not_copied(make_run: Make, tmp_path: Path, changes: dict[str, str]) -> None:
    run = make_run(tmp_path / "a.pt")
    run.update(**{seen.NOTED: "k"})
    seen.remember(run)
    run.update(**changes)
    assert seen.fetched("k", tmp_path) is None
