"""Files that are never seen half written, and the event log."""

from __future__ import annotations

import errno
import json
import math
import os
import shutil
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from core.errors import BadInput
from core.events import Finished, Progress, Steered, Step
from core.runs.files import (
    MB,
    EventReader,
    EventWriter,
    dump_json,
    require_room,
    strict_json,
    sweep,
    write_atomic,
    write_json,
)


def test_a_failed_write_leaves_the_old_file_and_no_leftovers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "run.json"
    write_atomic(path, b"old")

    def full(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="disk full"):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["run.json"]


def test_sweep_removes_what_killed_writers_left_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "frames").mkdir()
    (tmp_path / "frames" / ".00003.npz.tmp-1a2b3c4d").write_bytes(b"half")
    (tmp_path / "frames" / "00002.npz").write_bytes(b"whole")
    sweep(tmp_path)
    assert [path.name for path in tmp_path.rglob("*.*")] == ["00002.npz"]


def test_readers_see_only_whole_files_while_one_is_rewritten(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    write_json(path, {"n": 0, "filler": "x" * 50_000})
    seen, done = [], threading.Event()

    def read() -> None:
        while not done.is_set():
            seen.append(json.loads(path.read_bytes())["n"])

    reader = threading.Thread(target=read)
    reader.start()
    for n in range(1, 60):
        write_json(path, {"n": n, "filler": "x" * 50_000})
    done.set()
    reader.join()
    assert seen == sorted(seen)
    assert len(seen) > 1


def test_paths_whose_bytes_are_no_text_survive_too(tmp_path: Path) -> None:
    """As of files named in Shift_JIS."""
    data = {"path": os.fsdecode(b"/data/\x95\x5c.pth"), "name": "猫"}
    write_json(tmp_path / "a.json", data)
    assert json.loads((tmp_path / "a.json").read_bytes()) == data
    assert json.loads(strict_json(data).encode()) == data
    with EventWriter(tmp_path / "events.jsonl") as log:
        log.append(0, Finished(data))
    assert [event for _, event in EventReader(tmp_path / "events.jsonl").read()] == [Finished(data)]


def test_nan_and_infinity_survive_in_the_log(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    with EventWriter(path) as log:
        log.append(0.5, Step(1, 10, 0.01, {"mcl": float("nan"), "clean": float("inf")}))
    ((seconds, step),) = EventReader(path).read()
    assert seconds == 0.5
    assert isinstance(step, Step)
    assert math.isnan(step.losses["mcl"])
    assert step.losses["clean"] == math.inf


def test_strict_json_is_standard_json() -> None:
    data = {"ba": np.float32("nan"), "seconds": {"scan": math.inf}, "sizes": [1.5, -math.inf], 3: Path("a")}
    assert json.loads(strict_json(data), parse_constant=lambda name: pytest.fail(name)) == {
        "ba": None, "seconds": {"scan": None}, "sizes": [1.5, None], "3": "a",
    }  # fmt: skip


def test_numpy_numbers_and_arrays_become_plain_ones_and_objects_are_refused() -> None:
    assert json.loads(dump_json({"a": np.int64(3), "b": np.array([1.0, 2.0])})) == {"a": 3, "b": [1.0, 2.0]}
    with pytest.raises(TypeError, match="object"):
        dump_json({"a": object()})


def test_a_reader_gets_each_event_once_and_can_be_taken_up_again(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    reader = EventReader(path)
    assert reader.read() == []
    with EventWriter(path) as log:
        log.append(0, Progress("scan", 1, 9))
        log.append(1, Progress("scan", 2, 9))
        assert [event.done for _, event in reader.read()] == [1, 2]  # type: ignore[attr-defined]
        assert reader.read() == []
        log.append(2, Progress("scan", 3, 9))
    assert EventReader(path, reader.offset).read() == [(2.0, Progress("scan", 3, 9))]


def test_a_line_is_read_only_when_it_is_finished(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    line = b'{"t": 1.0, "type": "steered", "action": "pause"}\n'
    reader = EventReader(path)
    path.write_bytes(line + line[:20])
    assert reader.read() == [(1.0, Steered("pause"))]
    path.write_bytes(line + line)
    assert reader.read() == [(1.0, Steered("pause"))]


@pytest.mark.parametrize(
    "strange",
    [
        b'{"t": 1, "type": "of_the_future", "x": 1}\n', b'{"t": 1, "type": "frame"}\n', b"\n", b"[1, 2]\n",
        b"\xff\xfe\n",
        b'{"type": "steered", "action": "pause"}\n', b'{"t": 1, "type": "step", "st\n',
    ],
)  # fmt: skip
def test_unknown_and_damaged_lines_are_passed_over(tmp_path: Path, strange: bytes) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(strange + b'{"t": 2, "type": "steered", "action": "stop", "why": "new key"}\n')
    assert EventReader(path).read() == [(2.0, Steered("stop"))]


@pytest.mark.parametrize("whole", [b"", b'{"t": 0, "type": "steered", "action": "pause"}\n'])
def test_appending_after_a_crash_cuts_the_torn_line_first(tmp_path: Path, whole: bytes) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(whole + b'{"t": 1, "type": "fra')
    with EventWriter(path) as log:
        log.append(2, Finished({"target": 1}))
    events = EventReader(path).read()
    assert events[-1] == (2.0, Finished({"target": 1}))
    assert len(events) == 1 + bool(whole)
    assert path.read_bytes().startswith(whole)


def test_a_reader_beside_a_writer_misses_and_doubles_nothing(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    total = 2000

    def write() -> None:
        with EventWriter(path) as log:
            for done in range(total):
                log.append(done, Progress("purify", done, total))

    writer = threading.Thread(target=write)
    reader, seen = EventReader(path), []
    writer.start()
    while len(seen) < total and (writer.is_alive() or reader.offset < path.stat().st_size):
        seen += [event.done for _, event in reader.read()]  # type: ignore[attr-defined]
    writer.join()
    assert seen == list(range(total))


def test_room_is_looked_for_and_nothing_is_left(tmp_path: Path) -> None:
    require_room(tmp_path / "new" / "place")
    assert os.listdir(tmp_path / "new" / "place") == []


@pytest.mark.parametrize("fault", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_place_that_takes_nothing_is_told_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: int
) -> None:
    def refused(*_: object) -> None:
        raise OSError(fault, os.strerror(fault))

    monkeypatch.setattr(os, "fsync", refused)
    with pytest.raises(BadInput) as caught:
        require_room(tmp_path)
    assert caught.value.code == "place_not_writable"
    assert caught.value.facts == {"path": str(tmp_path), "size": 1, "reason": os.strerror(fault)}
    assert os.listdir(tmp_path) == []


def test_a_place_with_too_little_room_is_told_how_much_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=5 * MB))
    require_room(tmp_path, 5 * MB)
    with pytest.raises(BadInput, match="6 MB") as caught:
        require_room(tmp_path, 5 * MB + 1)
    assert caught.value.facts["reason"] == os.strerror(errno.ENOSPC)
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput):
        require_room(tmp_path / "file" / "below")
