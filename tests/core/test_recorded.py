"""Recordings of the rooms: whole and bound to what ships, or none at all."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from core import paths, recorded
from core.victims import card_of

SHIPPED = ("fleet", "watch", "data-room")


@pytest.fixture
def assets(shipped: Path) -> Path:
    (shipped / "model").write_bytes(b"weights")
    return shipped


def sealed(assets: Path) -> Path:
    folder = recorded.emptied(assets / "recorded" / "one")
    (folder / "deep").mkdir()
    (folder / "deep" / "file").write_bytes(b"content")
    recorded.seal(folder, "make it", [assets / "model"], {"count": 3}, "2026-01-02T03:04:05+00:00")
    return folder


def test_what_was_sealed_is_read_again(assets: Path) -> None:
    found = recorded.read(sealed(assets))
    assert found is not None
    assert (found.created, found.command, found.facts) == ("2026-01-02T03:04:05+00:00", "make it", {"count": 3})


@pytest.mark.parametrize("file", ["recorded/one/deep/file", "model"])
def test_a_file_that_is_another_by_now_makes_it_none(assets: Path, file: str) -> None:
    folder = sealed(assets)
    (assets / file).write_bytes(b"another")
    assert recorded.read(folder) is None


def test_a_file_too_many_or_too_few_makes_it_none(assets: Path) -> None:
    folder = sealed(assets)
    (folder / "more").write_bytes(b"")
    assert recorded.read(folder) is None
    (folder / "more").unlink()
    assert recorded.read(folder) is not None
    (folder / "deep" / "file").unlink()
    assert recorded.read(folder) is None


def test_what_is_no_recording_is_none(tmp_path: Path) -> None:
    assert recorded.read(tmp_path / "nowhere") is None
    (tmp_path / recorded.SEAL).write_text("[]")
    assert recorded.read(tmp_path) is None


def test_a_large_one_and_one_bound_elsewhere_are_refused(
    assets: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = recorded.emptied(assets / "recorded" / "large")
    (folder / "file").write_bytes(bytes(recorded.MAX_BYTES + 1))
    with pytest.raises(ValueError, match=str(recorded.MAX_BYTES)):
        recorded.seal(folder, "", [], {})
    (folder / "file").write_bytes(b"")
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "model"
    elsewhere.write_bytes(b"")
    with pytest.raises(ValueError, match="model"):
        recorded.seal(folder, "", [elsewhere], {})


@pytest.mark.parametrize("name", SHIPPED)
def test_those_that_ship_are_whole_small_and_hold_no_path_of_a_machine(name: str) -> None:
    assert recorded.shipped(name) is not None
    files = [path for path in (paths.RECORDED / name).rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= recorded.MAX_BYTES
    for path in files:
        if path.suffix in (".json", ".jsonl", ".csv"):
            assert not re.search(r'(^|[\s",:=])/\w[\w.-]*/', path.read_text()), path  # nothing that begins at the root


def test_a_victim_trained_anew_would_need_new_recordings() -> None:
    found = recorded.shipped("fleet")
    assert found is not None
    rows = {row["file"]: row["sha256"] for row in _models(found.folder)}
    for file in found.facts["backdoored"]:
        assert rows[file] == card_of(file.removesuffix(".safetensors")).sha256


def _models(folder: Path) -> list[dict[str, str]]:
    import json

    found: list[dict[str, str]] = json.loads((folder / "fleet.json").read_bytes())["models"]
    return found
