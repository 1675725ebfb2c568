from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from torch import Tensor

from core.data.imageset import as_float
from core.watch.alerts import Rule, kept
from core.watch.guard import Guard
from core.watch.inbox import Inbox
from core.watch.log import entries
from core.watch.place import ALERTS, LOG
from core.watch.watcher import Watcher
from tests.conftest import DiskFull
from tests.core.tiny import Tiny
from tests.core.watch.conftest import put

RULES = (Rule("alike", threshold=3, window=60), Rule("drift"))
LATER = 4e9  # seconds since 1970: no file is young
Open = Callable[..., Watcher]


@pytest.fixture
def triggered(tiny: Tiny, guard: Guard) -> Tensor:
    """Images that are flagged for sure."""
    found = tiny.trigger(as_float(tiny.images.x_test[tiny.images.y_test != tiny.target][:100]))
    return found[[one.flagged for one in guard.look(found)]]


@pytest.fixture
def opened(guard: Guard, inbox: Path, tmp_path: Path) -> Any:
    """Opens a watch; the one before it is given up as a killed one is: without a word."""
    held: list[Inbox] = []

    def open_watch(**options: Any) -> Watcher:
        if held:
            held.pop().close()
        held.append(Inbox(inbox))
        options = {"rules": RULES, "clock": lambda: LATER, "model": "aa", **options}
        return Watcher(guard, held[0], tmp_path / "watch", **options)

    return open_watch


def test_every_image_is_looked_at_once(opened: Open, inbox: Path, tiny: Tiny) -> None:
    for number in range(5):
        put(inbox, f"{number}.png", tiny.x[number])
    first = opened()
    first.look()
    first.look()
    assert first.tally.images == 5
    put(inbox, "5.png", tiny.x[5])
    second = opened()
    second.look()
    assert second.tally.images == 1
    put(inbox, "0.png", tiny.x[7])  # another image by the same name
    second.look()
    assert second.tally.images == 2


def test_triggered_images_ring_once_with_their_names(
    opened: Open, inbox: Path, tiny: Tiny, triggered: Tensor, tmp_path: Path
) -> None:
    for number in range(6):
        put(inbox, f"bad{number}.png", triggered[number])
    rung: list[Any] = []
    watcher = opened(on_alert=rung.append)
    watcher.look()
    (alert,) = watcher.tally.alerts
    assert rung == [alert]
    assert alert.files == ["bad0.png", "bad1.png", "bad2.png"]
    assert alert.facts["answer"] == tiny.target
    assert {one["file"] for one in watcher.tally.flagged} == {f"bad{number}.png" for number in range(6)}
    assert list(kept(tmp_path / "watch" / ALERTS)) == [alert.id]


def test_an_alert_that_was_not_written_when_the_watch_was_killed_is_written_by_the_next(
    opened: Open, inbox: Path, triggered: Tensor, tmp_path: Path
) -> None:
    """Killed after each write in turn: whatever the logs hold then, in the end every alert is there once."""
    for number in range(3):
        put(inbox, f"bad{number}.png", triggered[number])
    folder = tmp_path / "watch"
    opened().look()
    logs = {name: (folder / name).read_bytes().splitlines(keepends=True) for name in (LOG, ALERTS)}
    (whole,) = kept(folder / ALERTS)
    for seen in range(len(logs[LOG]) + 1):
        for rung in (0, 1) if seen == len(logs[LOG]) else (0,):
            for torn in (b"", b'{"kind": "im'):
                (folder / LOG).write_bytes(b"".join(logs[LOG][:seen]) + torn)
                (folder / ALERTS).write_bytes(b"".join(logs[ALERTS][:rung]) + torn)
                watcher = opened()
                watcher.look()
                found = kept(folder / ALERTS)
                assert len(found) == 1
                assert [one.alert.files for one in found.values()] == [["bad0.png", "bad1.png", "bad2.png"]]
                if seen == len(logs[LOG]):
                    assert list(found) == [whole]
                names = [entry["file"] for entry in entries(folder / LOG) if entry["kind"] == "image"]
                assert sorted(names) == ["bad0.png", "bad1.png", "bad2.png"]


def test_a_broken_file_is_named_and_the_rest_goes_on(opened: Open, inbox: Path, tiny: Tiny) -> None:
    put(inbox, "a.png", tiny.x[0])
    (inbox / "b.png").write_bytes((inbox / "a.png").read_bytes()[:60])
    (inbox / "c.jpg").write_bytes(b"")
    put(inbox, "d.png", tiny.x[1])
    said: list[str] = []
    watcher = opened(say=said.append)
    watcher.look()
    watcher.look()
    assert watcher.tally.images == 2
    assert [one["file"] for one in watcher.tally.unreadable] == ["b.png", "c.jpg"]
    assert len(said) == 2
    assert "b.png" in said[0]


def test_a_file_that_is_still_being_written_waits(opened: Open, inbox: Path, tiny: Tiny) -> None:
    whole = put(inbox, "a.png", tiny.x[0]).read_bytes()
    half = inbox / "a.png"
    half.write_bytes(whole[:60])
    os.utime(half, (1000.0, 1000.0))
    watcher = opened(clock=lambda: 1000.5)
    watcher.look()
    assert (watcher.tally.images, watcher.tally.waiting, list(watcher.tally.unreadable)) == (0, 1, [])
    half.write_bytes(whole)
    watcher.look()
    assert (watcher.tally.images, watcher.tally.waiting) == (1, 0)


def test_an_inbox_that_is_gone_is_said_once_and_waited_for(opened: Open, inbox: Path, tiny: Tiny) -> None:
    said: list[str] = []
    watcher = opened(say=said.append)
    shutil.rmtree(inbox)
    watcher.look()
    watcher.look()
    assert len(said) == 1
    assert str(inbox) in said[0]
    put(inbox, "a.png", tiny.x[0])
    watcher.look()
    assert watcher.tally.images == 1


def test_on_a_full_disk_nothing_counts_as_seen_until_there_is_room(
    opened: Open, inbox: Path, triggered: Tensor, disk_full: DiskFull
) -> None:
    for number in range(3):
        put(inbox, f"bad{number}.png", triggered[number])
    said: list[str] = []
    watcher = opened(say=said.append)
    with disk_full():
        watcher.look()
        watcher.look()
    assert watcher.tally.images == 0
    assert len(said) == 1
    assert "No space left" in said[0]
    watcher.look()
    assert watcher.tally.images == 3
    assert len(watcher.tally.alerts) == 1


def test_no_image_is_touched(opened: Open, inbox: Path, tiny: Tiny) -> None:
    for number in range(4):
        put(inbox, f"{number}.png", tiny.x[number])
    (inbox / "broken.png").write_bytes(b"x")
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in inbox.iterdir()}
    opened().look()
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in inbox.iterdir()} == before


def test_a_dark_stream_drifts_and_is_no_attack(opened: Open, inbox: Path, tiny: Tiny) -> None:
    for number in range(60):
        put(inbox, f"{number:02}.png", as_float(tiny.images.x_test[number]) * 0.75)
    watcher = opened()
    watcher.look()
    watcher.compare()
    assert watcher.tally.drift["brightness"].drifted
    assert [alert.rule for alert in watcher.tally.alerts] == ["drift"]
    before = len(list(entries(watcher.folder / LOG)))
    watcher.compare()  # nothing came since
    assert len(list(entries(watcher.folder / LOG))) == before


def test_a_watch_without_an_end_counts_all_and_lists_the_last(opened: Open, inbox: Path, triggered: Tensor) -> None:
    rules = (Rule("flagged", threshold=1, window=1, quiet=0.0),)
    watcher = opened(most=2, rules=rules)
    for number in range(5):
        put(inbox, f"bad{number}.png", triggered[number])
        (inbox / f"broken{number}.png").write_bytes(b"x")
    watcher.look()
    expected = {"flagged": 5, "unreadable": 5, "alerts": 5, "alert.flagged": 5, "model": 0}
    assert dict(watcher.tally.counts) == expected
    assert [one["file"] for one in watcher.tally.flagged] == ["bad3.png", "bad4.png"]
    assert [one["file"] for one in watcher.tally.unreadable] == ["broken3.png", "broken4.png"]
    assert [one.files for one in watcher.tally.alerts] == [["bad3.png"], ["bad4.png"]]
