from __future__ import annotations

from pathlib import Path

import pytest

from core.watch.log import Log, entries
from tests.conftest import DiskFull


def test_entries_come_back_in_order(tmp_path: Path) -> None:
    path = tmp_path / "new" / "log.jsonl"
    with Log(path) as log:
        log.append([{"a": 1}, {"a": float("nan"), "name": "看板.png"}])
        log.append([{"a": 3}])
    found = list(entries(path))
    assert [entry["a"] for entry in found][::2] == [1, 3]
    assert found[1]["name"] == "看板.png"
    assert list(entries(tmp_path / "none")) == []


@pytest.mark.parametrize("torn", [b'{"a": 2', b"x" * 200_000])
def test_a_torn_last_line_is_passed_over_and_cut_off_by_the_next_writer(tmp_path: Path, torn: bytes) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(b'{"a": 1}\n' + torn)
    assert list(entries(path)) == [{"a": 1}]
    with Log(path) as log:
        log.append([{"a": 3}])
    assert path.read_bytes() == b'{"a": 1}\n{"a": 3}\n'


def test_a_damaged_line_hides_no_other(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(b'{"a": 1}\nnonsense\n[1]\n{"a": 2}\n')
    assert [entry["a"] for entry in entries(path)] == [1, 2]


def test_on_a_full_disk_nothing_of_what_was_to_be_added_stays(tmp_path: Path, disk_full: DiskFull) -> None:
    log = Log(tmp_path / "log.jsonl")
    log.append([{"a": 1}])
    with disk_full(), pytest.raises(OSError, match="No space"):
        log.append([{"a": 2}])
    assert list(entries(log.path)) == [{"a": 1}]
    log.append([{"a": 3}])
    assert [entry["a"] for entry in entries(log.path)] == [1, 3]
    log.close()
