from __future__ import annotations

import os
from pathlib import Path

import pytest

from core.errors import BadInput
from core.watch.inbox import Inbox
from tests.core.tiny import Tiny
from tests.core.watch.conftest import put


def test_images_are_found_below_the_folder_too_and_nothing_else(inbox: Path, tiny: Tiny) -> None:
    for name in ("b.png", "a.PNG", "day/c.png", ".hidden.png", ".tmp/d.png"):
        put(inbox, name, tiny.x[0])
    (inbox / "notes.txt").write_text("no image")
    found = list(Inbox(inbox).arrivals())
    assert [one.file for one in found] == ["a.PNG", "b.png", os.path.join("day", "c.png")]
    assert found[1].size == (inbox / "b.png").stat().st_size
    assert found[1].changed == (inbox / "b.png").stat().st_mtime_ns


def test_an_image_is_brought_to_the_size_of_the_runs_images(inbox: Path, tiny: Tiny) -> None:
    put(inbox, "a.png", tiny.x[0])
    box = Inbox(inbox)
    (arrival,) = box.arrivals()
    assert (box.read(arrival, (16, 16)) == tiny.x[0].permute(1, 2, 0).numpy()).all()
    assert box.read(arrival, (24, 32)).shape == (24, 32, 3)


def test_two_watches_do_not_share_an_inbox(inbox: Path) -> None:
    first = Inbox(inbox)
    with pytest.raises(BadInput) as error:
        Inbox(inbox)
    assert error.value.code == "inbox_watched"
    first.close()
    Inbox(inbox).close()


@pytest.mark.parametrize("there", ["nothing", "file"])
def test_what_is_no_folder_is_refused(tmp_path: Path, there: str) -> None:
    path = tmp_path / "inbox"
    if there == "file":
        path.write_text("")
    with pytest.raises(BadInput) as error:
        Inbox(path)
    assert error.value.code == "inbox_not_found"


def test_an_inbox_that_vanished_is_held_again_when_it_is_back(inbox: Path) -> None:
    box = Inbox(inbox)
    inbox.rmdir()
    assert not box.hold()
    inbox.mkdir()
    assert box.hold()
    with pytest.raises(BadInput):
        Inbox(inbox)


def test_the_lock_leaves_nothing_in_the_inbox(inbox: Path) -> None:
    Inbox(inbox)
    assert list(inbox.iterdir()) == []
