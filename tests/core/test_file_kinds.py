"""What a file is, by its first bytes or the names in it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.file_kinds import folder_for_weights, kind_of, kind_of_zip, refusal

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
CATALOGUES = [
    json.loads((Path(__file__).parents[2] / f"dashboard/i18n/{name}.json").read_text()) for name in ("en", "ja")
]


@pytest.mark.parametrize(
    ("content", "sort", "name"),
    [
        (b"", "empty", ""), (POINTER, "pointer", ""), (b"\n<!DOCTYPE html><html>", "page", ""),
        (b"\xef\xbb\xbf<html lang=ja>", "page", ""), (b"\x1f\x8b\x08\x00", "packed", "gzip"),
        (b"BZh91AY", "packed", "bzip2"), (b"\xfd7zXZ\x00", "packed", "xz"), (b"a" * 257 + b"ustar", "packed", "tar"),
        (b"\x28\xb5\x2f\xfd\x00", "packed", "Zstandard"), (b"7z\xbc\xaf\x27\x1c", "packed", "7-Zip"),
        (b"Rar!\x1a\x07\x01", "packed", "RAR"), (b"\x89HDF\r\n\x1a\n", "other", "HDF5 (Keras)"),
        (b"\x1c\x00\x00\x00TFL3", "other", "TensorFlow Lite"), (b"\x93NUMPY\x01\x00", "other", "NumPy (.npy)"),
        (b"PAR1", "other", "Parquet"), (b"\x00\x00\x08\x03\x00\x00", "other", "IDX (MNIST)"),
        (b"\x00\x00\x00\x18ftypheic", "other", "HEIC"), (b"\x00\x00\x00\x18ftypavif", "other", "AVIF"),
        (b"GIF89a", "other", "GIF"), (bytes(128) + b"DICM", "other", "DICOM"), (b'{"a": 1}', "other", "JSON"),
        (b"<?xml version='1.0'?>", "other", "XML"),
    ],
)  # fmt: skip
def test_it_is_told_by_its_first_bytes(tmp_path: Path, content: bytes, sort: str, name: str) -> None:
    (tmp_path / "a").write_bytes(content)
    kind = kind_of(tmp_path / "a")
    assert kind is not None
    assert tuple(kind) == (sort, name)
    for wanted in ("weights", "images"):
        error = refusal(kind, "my file", wanted)  # type: ignore[arg-type]
        assert "my file" in error.message
        assert name in error.message
        for catalogue in CATALOGUES:
            assert "my file" in catalogue[f"error.{error.code}"].format(**error.facts)


@pytest.mark.parametrize("content", [b"hello", bytes(1000), b"PK\x03\x04", b"\x80\x02N."])
def test_of_others_nothing_is_said(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a").write_bytes(content)
    assert kind_of(tmp_path / "a") is None


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        (["config.json", "metadata.json", "model.weights.h5"], ("other", "Keras")),
        (["x.npy", "y.npy"], ("other", "NumPy (.npz)")), (["run/Best.PTH"], ("packed", "zip")), (["readme"], None),
    ],
)  # fmt: skip
def test_a_zip_is_told_by_the_names_in_it(names: list[str], kind: tuple[str, str] | None) -> None:
    assert kind_of_zip(names, (".pth",)) == kind


def test_of_a_folder_it_is_said_what_lies_in_it(tmp_path: Path) -> None:
    for name in ("model.safetensors", "config.json", "optimizer.pt"):
        (tmp_path / name).touch()
    assert folder_for_weights(tmp_path, "~/run").facts == {"path": "~/run", "found": "model.safetensors, optimizer.pt"}
    assert folder_for_weights(tmp_path / "none", "x").code == "folder_without_weights"
