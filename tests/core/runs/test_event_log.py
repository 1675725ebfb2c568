"""The log of a run's events: read while it grows, taken up after a crash."""

from __future__ import annotations

import json
import math
import threading
from pathlib import Path

import pytest

from core.events import Finished, Progress, Steered, Step
from core.files import write_json
from core.runs.event_log import EventReader, EventWriter


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


def test_nan_and_infinity_survive_in_the_log(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    with EventWriter(path) as log:
        log.append(0.5, Step(1, 10, 0.01, {"mcl": float("nan"), "clean": float("inf")}))
    ((seconds, step),) = EventReader(path).read()
    assert seconds == 0.5
    assert isinstance(step, Step)
    assert math.isnan(step.losses["mcl"])
    assert step.losses["clean"] == math.inf


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
