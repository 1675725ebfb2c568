"""The folder of a fleet: whose it is, what it was made of, how it stands."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from core import paths
from core.errors import BadInput
from core.fleet import place
from core.fleet.place import Order, Standing
from core.fleet.rows import Row
from core.jobs import process
from core.runs import record
from core.runs.record import Run

ORDER = Order("/models", "digits")


def test_a_fleet_is_made_and_taken_up_again_with_the_same_order(tmp_path: Path) -> None:
    for _ in range(2):
        with place.opened(tmp_path / "fleet", ORDER):
            assert place.read_order(tmp_path / "fleet") == ORDER


@pytest.mark.parametrize(
    ("other", "named"),
    [
        (Order("/others", "digits"), "models /models"),
        (Order("/models", "signs"), "images digits"),
        (Order("/models", "digits", seed=3), "seed 0"),
    ],
)
def test_another_order_is_refused(tmp_path: Path, other: Order, named: str) -> None:
    with place.opened(tmp_path, Order("/models", "digits")):
        pass
    with pytest.raises(BadInput) as caught, place.opened(tmp_path, other):
        pytest.fail("it was opened")
    assert caught.value.code == "fleet_other_order"
    assert named in caught.value.message


def test_a_folder_with_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("mine")
    for folder in (tmp_path, tmp_path / "letter.txt"):
        with pytest.raises(BadInput) as caught, place.opened(folder, ORDER):
            pytest.fail("it was opened")
        assert caught.value.code == "fleet_not_empty"
    assert [entry.name for entry in tmp_path.iterdir()] == ["letter.txt"]


def test_two_never_work_on_one_fleet(tmp_path: Path) -> None:
    with place.opened(tmp_path, ORDER), pytest.raises(BadInput) as caught, place.opened(tmp_path, ORDER):
        pytest.fail("it was opened twice")
    assert caught.value.code == "fleet_busy"


def test_a_standing_is_read_as_it_was_written(tmp_path: Path) -> None:
    row = Row("a.pt", "/a.pt", "digits", exposure=3, risk=12.5, facts={"count": 2}, seconds={"scan": 1.5})
    standing = Standing([row], 3.5, "local", 2, "purify", 1, 2, 3.5, ["a.pt"], "2026-03-04T05:06:07+00:00")
    place.write_standing(tmp_path, standing)
    assert place.read_standing(tmp_path) == standing
    (tmp_path / place.STANDING).write_text("{")
    assert place.read_standing(tmp_path) is None
    assert place.read_standing(tmp_path / "gone") is None


def test_a_fleet_is_worked_on_as_long_as_its_process_lives() -> None:
    assert Standing(worker=process.identity()).going
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        worker = process.identity(other.pid)
        assert Standing(worker=worker).going
        other.kill()
        other.wait()
    assert not Standing(worker=worker).going
    assert not Standing().going


def test_fleets_are_found_under_the_home_by_name(home: Path, tmp_path: Path) -> None:
    assert place.fleets() == []
    folder = place.default(tmp_path / "our models.csv")
    assert folder == home / "fleets" / "our-models"
    with place.opened(folder, ORDER):
        pass
    (home / "fleets" / "stray").mkdir()
    assert place.fleets() == [folder]
    assert place.find("our-models") == folder
    for name in ("stray", "gone", "..", "", None, "../fleets/our-models"):
        assert place.find(name) is None


def test_a_run_that_is_opened_is_listed_among_the_runs(make_run: Callable[..., Run], tmp_path: Path) -> None:
    run = make_run(tmp_path / "a.pt")
    assert record.list_runs(recordings=False) == []
    assert place.listed(run).id == place.listed(run).id == run.id
    assert [found.id for found in record.list_runs(recordings=False)] == [run.id]
    assert (paths.runs_folder() / run.id).resolve() == run.folder
