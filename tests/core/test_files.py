"""Files that are never seen half written, and JSON."""

from __future__ import annotations

import errno
import json
import math
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from core.errors import BadInput
from core.events import Finished
from core.files import MB, dump_json, require_room, strict_json, sweep, write_atomic, write_json
from core.runs.event_log import EventReader, EventWriter
from tests.conftest import DiskFull


def test_a_failed_write_leaves_the_old_file_and_no_leftovers(tmp_path: Path, disk_full: DiskFull) -> None:
    path = tmp_path / "run.json"
    write_atomic(path, b"old")

    with disk_full(), pytest.raises(OSError, match="No space"):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["run.json"]


def test_sweep_removes_what_killed_writers_left_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "frames").mkdir()
    (tmp_path / "frames" / ".00003.npz.tmp-1a2b3c4d").write_bytes(b"half")
    (tmp_path / "frames" / "00002.npz").write_bytes(b"whole")
    sweep(tmp_path)
    assert [path.name for path in tmp_path.rglob("*.*")] == ["00002.npz"]


def test_paths_whose_bytes_are_no_text_survive_too(tmp_path: Path) -> None:
    """As of files named in Shift_JIS."""
    data = {"path": os.fsdecode(b"/data/\x95\x5c.pth"), "name": "猫"}
    write_json(tmp_path / "a.json", data)
    assert json.loads((tmp_path / "a.json").read_bytes()) == data
    assert json.loads(strict_json(data).encode()) == data
    with EventWriter(tmp_path / "events.jsonl") as log:
        log.append(0, Finished(data))
    assert [event for _, event in EventReader(tmp_path / "events.jsonl").read()] == [Finished(data)]


def test_strict_json_is_standard_json() -> None:
    data = {"ba": np.float32("nan"), "seconds": {"scan": math.inf}, "sizes": [1.5, -math.inf], 3: Path("a")}
    assert json.loads(strict_json(data), parse_constant=lambda name: pytest.fail(name)) == {
        "ba": None, "seconds": {"scan": None}, "sizes": [1.5, None], "3": "a",
    }  # fmt: skip


def test_numpy_numbers_and_arrays_become_plain_ones_and_objects_are_refused() -> None:
    assert json.loads(dump_json({"a": np.int64(3), "b": np.array([1.0, 2.0])})) == {"a": 3, "b": [1.0, 2.0]}
    with pytest.raises(TypeError, match="object"):
        dump_json({"a": object()})


def test_room_is_looked_for_and_nothing_is_left(tmp_path: Path) -> None:
    require_room(tmp_path / "new" / "place")
    assert os.listdir(tmp_path / "new" / "place") == []


@pytest.mark.parametrize("fault", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_place_that_takes_nothing_is_told_with_the_reason(tmp_path: Path, disk_full: DiskFull, fault: int) -> None:
    with disk_full(fault=fault), pytest.raises(BadInput) as caught:
        require_room(tmp_path)
    assert caught.value.code == "place_not_writable"
    assert caught.value.facts == {"path": str(tmp_path), "size": 1, "reason": os.strerror(fault)}
    assert os.listdir(tmp_path) == []


def test_a_place_with_too_little_room_is_told_how_much_is_needed(
    tmp_path: Path,
) -> None:
    require_room(tmp_path, MB)
    needed = shutil.disk_usage(tmp_path).total // MB + 1
    with pytest.raises(BadInput, match=f" {needed + 1} MB") as caught:
        require_room(tmp_path, needed * MB + 1)
    assert caught.value.facts["reason"] == os.strerror(errno.ENOSPC)
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput):
        require_room(tmp_path / "file" / "below")
