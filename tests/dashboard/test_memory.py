"""What stays for the life of the server is not looked through for garbage."""

from __future__ import annotations

import gc
import sys
import types
from collections.abc import Iterator

import pytest

from dashboard import memory


class Knot:
    """Holds itself, so that only the collector can free it."""

    freed = 0

    def __init__(self) -> None:
        self.own = self

    def __del__(self) -> None:
        Knot.freed += 1


@pytest.fixture(autouse=True)
def thawed() -> Iterator[None]:
    yield
    gc.unfreeze()


def test_objects_are_set_apart_when_modules_have_come_and_not_again(monkeypatch: pytest.MonkeyPatch) -> None:
    memory.set_apart()
    apart = gc.get_freeze_count()
    assert apart > 10_000
    kept = [[number] for number in range(1000)]
    memory.set_apart()
    assert gc.get_freeze_count() <= apart
    monkeypatch.setitem(sys.modules, "one_more", types.ModuleType("one_more"))
    memory.set_apart()
    assert gc.get_freeze_count() >= apart + len(kept) / 2


def test_garbage_of_before_and_after_is_still_collected(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("yet_another", "and_one_more"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    Knot.freed = 0
    Knot()
    held = Knot()
    memory.set_apart()
    assert Knot.freed == 1
    Knot()
    gc.collect()
    assert Knot.freed == 2
    del held
    monkeypatch.setitem(sys.modules, "the_last_one", types.ModuleType("the_last_one"))
    memory.set_apart()
    assert Knot.freed == 3, "what was set apart and is garbage since"
