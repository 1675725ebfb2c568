from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from core.cli.parser import parser
from core.dataroom import place
from core.dataroom.place import Order
from core.dataroom.review import REVIEW
from core.errors import BadInput
from core.files import write_json
from tests.conftest import Started


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISSOLVE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_each_order_has_a_folder_of_its_own() -> None:
    orders = [Order("digits"), Order("digits", seed=1), Order("digits", "badnets"), Order("signs")]
    assert len({order.folder for order in orders}) == 4
    assert Order("digits").folder == orders[0].folder


def test_the_command_line_takes_the_order() -> None:
    order = Order("digits", "badnets", 0.05, 3, ("ss", "contamination"), 0.1, 500, 7, reviewed="my list.csv")
    given = parser().parse_args(["data-room", *order.arguments])
    assert (given.set, given.poison, given.rate, given.poison_target) == ("digits", "badnets", 0.05, 3)
    assert (given.filters, given.false_alarms, given.most, given.seed) == (["ss", "contamination"], 0.1, 500, 7)
    assert str(given.reviewed) == "my list.csv"
    assert parser().parse_args(["data-room", *Order("photos/").arguments]).poison == ""


def test_work_is_begun_once(no_worker_starts: Started) -> None:
    order = Order("digits")
    place.start(order)
    place.start(order)
    assert len(no_worker_starts) == 1
    found = place.job(order)
    assert found is not None
    assert found.at_work
    write_json(order.folder / place.JOB, {"worker": None})
    lost = place.job(order)
    assert lost is not None
    assert lost.failure["code"] == "job_ended"
    place.start(order)
    assert len(no_worker_starts) == 2


def test_a_named_set_is_judged_once_and_ones_own_anew(no_worker_starts: Started) -> None:
    for images, times in (("digits", 0), ("photos/", 1)):
        order = Order(images)
        order.folder.mkdir(parents=True)
        write_json(order.folder / place.RESULT, {"images": 1})
        place.start(order)
        assert len(no_worker_starts) == times
    assert place.result(Order("photos/")) is None


def test_a_visit_takes_away_what_an_earlier_one_told_before_it_writes(tmp_path: Path) -> None:
    for name in (place.RESULT, place.MAP, place.TRUTH, place.LIST, REVIEW):
        (tmp_path / name).write_text("{}")
    place.begin_anew(tmp_path)
    assert {file.name for file in tmp_path.glob("[!.]*")} - {"home", "cache"} == {place.LIST, REVIEW}
    place.begin_anew(tmp_path)


def test_a_folder_is_taken_up_after_a_visit_that_did_not_end_but_never_anothers(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    place.require_own(folder)
    folder.mkdir()
    (folder / place.LIST).write_text("mine")
    with pytest.raises(BadInput) as caught:
        place.require_own(folder)
    assert caught.value.code == "out_not_ours"
    place.begin_anew(folder)
    place.require_own(folder)


def test_a_list_is_read_without_torch() -> None:
    order = Order("digits")
    order.folder.mkdir(parents=True)
    (order.folder / place.LIST).write_text("index,file,label,score_ss,flagged\n0,a,2,0.5,1\n1,b,0,-1,0\n")
    found = place.listed(order.folder, ["ss"])
    assert found.files == ["a", "b"]
    assert found.labels.tolist() == [2, 0]
    assert found.scores["ss"].tolist() == [0.5, -1]
    assert found.flagged.tolist() == [True, False]


def test_what_comes_of_it_is_asked_for_and_waited_for() -> None:
    order = Order("digits", "badnets", then="all")
    assert order.arguments[-2:] == ["--then", "all"]
    assert order.folder != Order("digits", "badnets").folder
    order.folder.mkdir(parents=True)
    write_json(order.folder / place.RESULT, {"images": 1})
    assert not place.whole(order)
    write_json(order.folder / place.RESULT, {"images": 1, "then": {}})
    assert place.whole(order)


def test_an_order_is_read_as_it_was_written(tmp_path: Path) -> None:
    order = Order("digits", "badnets", filters=("ss",), then="purify")
    assert place.order_in(tmp_path) is None
    write_json(tmp_path / place.ORDER, asdict(order))
    assert place.order_in(tmp_path) == order


def test_an_order_is_found_by_its_key_and_by_nothing_else() -> None:
    order = Order("digits", "badnets")
    assert place.order_of(order.key) is None
    order.folder.mkdir(parents=True)
    write_json(order.folder / place.ORDER, asdict(order))
    assert place.order_of(order.key) == order
    order.folder.rename(order.folder.with_name("0" * 16))
    for key in ("0" * 16, "", "..", f"../data-room/{'0' * 16}"):
        assert place.order_of(key) is None


def test_another_list_is_kept_under_another_name() -> None:
    first, same, other = (place.keep_list(content) for content in (b"1", b"1", b"2"))
    assert first == same != other
    assert (first.read_bytes(), other.read_bytes()) == (b"1", b"2")


def test_a_map_says_the_truth_where_it_is_known(tmp_path: Path) -> None:
    assert place.mapped(tmp_path) is None
    (tmp_path / place.MAP).write_text("index,x,y,label,flagged,poisoned\n3,0.5,-1,2,1,0\n7,1,2,0,0,1\n")
    found = place.mapped(tmp_path)
    assert found is not None
    assert found.at.tolist() == [3, 7]
    assert found.xy.tolist() == [[0.5, -1], [1, 2]]
    assert found.flagged.tolist() == [True, False]
    assert found.poisoned is not None
    assert found.poisoned.tolist() == [False, True]
    (tmp_path / place.MAP).write_text("index,x,y,label,flagged,poisoned\n3,0.5,-1,2,1,\n")
    unknown = place.mapped(tmp_path)
    assert unknown is not None
    assert unknown.poisoned is None
