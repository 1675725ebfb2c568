"""What has another hash, and what has the same."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from core.runs import file_hashes


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of two classes."""
    for name in ("cat", "dog"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(2):
            (tmp_path / "photos" / name / f"{number}.png").write_bytes(f"{name}{number}".encode())
    return tmp_path / "photos"


def test_of_a_folder_all_that_is_loaded_counts_and_nothing_else(photos: Path) -> None:
    seen = [file_hashes.of_images(photos)]
    (photos / "notes.txt").write_text("not loaded")
    (photos / "cat" / "notes.txt").write_text("not loaded")
    assert file_hashes.of_images(photos) == seen[0]
    (photos / "cat" / "1.png").rename(photos / "cat" / "2.png")
    seen.append(file_hashes.of_images(photos))
    (photos / "cat" / "3.png").write_bytes(b"one more")
    seen.append(file_hashes.of_images(photos))
    (photos / "cat").rename(photos / "elk")
    seen.append(file_hashes.of_images(photos))
    assert len(set(seen)) == 4


def test_two_copies_of_a_folder_have_one_hash(photos: Path, tmp_path: Path) -> None:
    before = file_hashes.of_images(photos)
    photos.rename(tmp_path / "elsewhere")
    assert file_hashes.of_images(tmp_path / "elsewhere") == before


def swapped(path: Path, content: bytes) -> None:
    """Other bytes of the same number in the same file, and its time of change set back."""
    before = path.stat()
    assert len(content) == before.st_size
    path.write_bytes(content)
    while path.stat().st_ctime_ns == before.st_ctime_ns:  # until the file system's clock has moved on
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_a_time_of_change_that_is_set_back_hides_nothing(tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    path.write_bytes(b"weights")
    assert file_hashes.of_file(path) == hashlib.sha256(b"weights").hexdigest()
    swapped(path, b"WEIGHTS")
    assert file_hashes.of_file(path) == hashlib.sha256(b"WEIGHTS").hexdigest()


def test_a_fresh_hash_is_that_of_the_bytes_and_the_same_as_the_kept_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = tmp_path / "model.safetensors.index.json"
    for name in ("a", "b"):
        (tmp_path / f"{name}.safetensors").write_bytes(name.encode())
    index.write_text(json.dumps({"weight_map": {"x": "a.safetensors", "y": "b.safetensors"}}))
    for path in (index, tmp_path / "a.safetensors"):
        assert file_hashes.fresh_of_weights(path) == file_hashes.of_weights(path)
    kept = file_hashes.of_weights(index)
    monkeypatch.setattr(file_hashes, "of_file", lambda path: "of another time")  # nothing that was kept is asked
    (tmp_path / "b.safetensors").write_bytes(b"c")
    assert file_hashes.fresh_of_weights(index) != kept
    (tmp_path / "b.safetensors").unlink()
    with pytest.raises(FileNotFoundError):
        file_hashes.fresh_of_weights(index)
