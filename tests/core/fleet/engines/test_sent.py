"""Images that go to the nodes: once for each set, and not more sets than nodes are to keep."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("distributed", reason="the engine dask needs the package distributed")

from core.errors import BadInput
from core.fleet.engines.sent import KEPT_SETS, Sent


class Client:
    """Notes which plugins there are."""

    status = "running"

    def __init__(self) -> None:
        self.plugins: list[str] = []

    def register_plugin(self, plugin: Any) -> None:
        self.plugins.append(plugin.name)

    def unregister_worker_plugin(self, name: str) -> None:
        self.plugins.remove(name)


def sets(folder: Path, count: int) -> list[str]:
    found = [folder / f"{number}.npz" for number in range(count)]
    for file in found:
        file.write_bytes(b"the same in all")
    return [str(file) for file in found]


def test_a_set_is_sent_once_under_a_name_of_its_own(tmp_path: Path) -> None:
    client = Client()
    at = Sent(client)  # type: ignore[arg-type]
    one, other = sets(tmp_path, 2)
    names = [at.name(path, {one, other}) for path in (one, other, one, other)]
    assert names[:2] == names[2:]
    assert [name.rpartition("/")[2] for name in names[:2]] == ["0.npz", "1.npz"]
    assert client.plugins == [f"dissolve-images-{name.partition('/')[0]}" for name in names[:2]]
    at.forget_all()
    assert client.plugins == []


def test_sets_that_are_not_needed_make_room_the_oldest_first(tmp_path: Path) -> None:
    client = Client()
    at = Sent(client)  # type: ignore[arg-type]
    paths = sets(tmp_path, KEPT_SETS + 1)
    for path in paths[:-1]:
        at.name(path, paths)
    first, second, *others = client.plugins
    at.name(paths[-1], {paths[0]})
    assert first in client.plugins
    assert second not in client.plugins
    assert len(client.plugins) == KEPT_SETS
    assert set(others) <= set(client.plugins)


def test_images_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        Sent(Client()).name(str(tmp_path / "gone.npz"), ())  # type: ignore[arg-type]
    assert caught.value.code == "images_not_found"
