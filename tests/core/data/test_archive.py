from __future__ import annotations

import tracemalloc
import zipfile
from pathlib import Path

import pytest

from core.data.archive import Archive


class Refused(Exception):
    pass


def listing(path: Path, members: int) -> Path:
    with zipfile.ZipFile(path, "w") as out:
        for number in range(members):
            out.writestr(f"{number}", b"")
    return path


def opened(path: Path, members: int, size: int) -> list[str]:
    with Archive(path, members, size, Refused) as file, zipfile.ZipFile(file) as archive:
        return archive.namelist()


def test_so_many_members_are_listed_and_no_more(tmp_path: Path) -> None:
    path = listing(tmp_path / "a.zip", 50)
    assert len(opened(path, 50, 10_000)) == 50
    for members, size in ((49, 10_000), (50, 1000)):
        with pytest.raises(Refused):
            opened(path, members, size)


def test_a_list_of_too_many_is_never_made_into_objects(tmp_path: Path) -> None:
    path = listing(tmp_path / "a.zip", 20_000)
    tracemalloc.start()
    try:
        with pytest.raises(Refused):
            opened(path, 1000, 2**21)
        assert tracemalloc.get_traced_memory()[1] < 4e6  # the list's own bytes, twice; as objects it takes 10 MB
    finally:
        tracemalloc.stop()


def test_bytes_are_listed_like_a_file(tmp_path: Path) -> None:
    content = listing(tmp_path / "a.zip", 50).read_bytes()
    with Archive(content, 50, 10_000, Refused) as file, zipfile.ZipFile(file) as archive:
        assert len(archive.namelist()) == 50
    with pytest.raises(Refused), Archive(content, 49, 10_000, Refused) as file:
        zipfile.ZipFile(file)
    with pytest.raises(Refused), Archive(content, 50, 10_000, Refused) as file:
        file.read(20_000)


def test_members_may_be_longer_than_the_list(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as out:
        out.writestr("a", bytes(5000))
    with Archive(tmp_path / "a.zip", 1, 500, Refused) as file, zipfile.ZipFile(file) as archive:
        with pytest.raises(Refused):
            archive.read("a")
        file.listed()
        assert archive.read("a") == bytes(5000)


def test_nothing_longer_than_allowed_is_read_in_one_go(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(1000))
    with Archive(tmp_path / "a", 10, 100, Refused) as file:
        assert len(file.read(100)) == 100
        for size in (101, -1, None):
            with pytest.raises(Refused):
                file.read(size)
