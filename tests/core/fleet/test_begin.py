"""A fleet that is begun, stopped and taken up from a page."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from core import paths
from core.errors import BadInput
from core.fleet import begin, place
from core.fleet.place import Order, Standing
from core.jobs import process
from tests.conftest import Started
from tests.core.fleet import made_up


def test_the_command_is_begun_in_the_fleets_own_folder(home: Path, models: Path, no_worker_starts: Started) -> None:
    folder = begin.start(str(models), "digits", purify=True)
    assert folder == place.default(models)
    (words,) = no_worker_starts
    assert words[:5] == ["core", "fleet", str(models), "--out", str(folder)]
    assert words[-3:] == ["--images", "digits", "--purify"]
    job = begin.job(folder)
    assert job is not None
    assert job.at_work
    no_worker_starts.end()
    job = begin.job(folder)
    assert job is not None
    assert not job.at_work


def test_the_same_order_goes_on_and_another_of_that_name_gets_its_own(
    home: Path, models: Path, no_worker_starts: Started
) -> None:
    first = begin.start(str(models), "digits")
    no_worker_starts.end()
    with place.opened(first, Order(str(models), "digits")):
        pass
    assert begin.start(str(models), "digits") == first
    other = begin.start(str(models), "signs")
    assert other.name == f"{first.name}-2"
    assert other.parent == first.parent


def test_another_order_waits_for_no_folder_that_a_process_is_about_to_make(
    home: Path, models: Path, tmp_path: Path, no_worker_starts: Started
) -> None:
    others = made_up.models(tmp_path / "elsewhere" / models.name)
    first, other = begin.start(str(models), "digits"), begin.start(str(others), "digits")
    assert first != other
    assert [words[2] for words in no_worker_starts] == [str(models), str(others)]
    assert begin.start(str(models), "digits") == first
    assert len(no_worker_starts) == 2, "the same order waits for the process that is at it"


@pytest.mark.parametrize(
    ("models", "images", "code"),
    [
        ("nowhere", "digits", "fleet_not_found"),
        ("no\0where", "digits", "fleet_not_found"),
        ("models", "/no\0where", "images_not_found"),
        ("models", "", "fleet_no_images"),
        ("models", "/no", "images_not_found"),
    ],
)
def test_what_cannot_be_begun_is_told_at_once(
    home: Path, tmp_path: Path, models: str, images: str, code: str, no_worker_starts: Started
) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "a.pt").write_bytes(b"")
    with pytest.raises(BadInput) as caught:
        begin.start(str(tmp_path / models), images)
    assert caught.value.code == code
    assert no_worker_starts == []


@pytest.mark.parametrize("taken_up", [False, True])
def test_a_full_disk_is_told_before_anything_is_begun(
    home: Path, models: Path, no_worker_starts: Started, free_disk: Callable[[int], None], taken_up: bool
) -> None:
    free_disk(0)
    folder, order = place.default(models), Order(str(models), "digits")
    act = partial(begin.go_on, folder, order) if taken_up else partial(begin.start, str(models), "digits")
    with pytest.raises(BadInput) as caught:
        act()
    assert caught.value.code == "place_not_writable"
    assert no_worker_starts == []


def test_whoever_works_on_it_is_asked_to_end(home: Path, tmp_path: Path) -> None:
    import sys

    waiting = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        folder = paths.home() / "fleets" / "one"
        with place.opened(folder, Order(str(tmp_path), "digits")):
            pass
        place.write_standing(folder, Standing(worker=process.identity(waiting.pid)))
        begin.stop(folder)
        assert waiting.wait(timeout=30) != 0
    finally:
        waiting.kill()
        waiting.wait()
    begin.stop(folder)  # once more, of one that is gone
