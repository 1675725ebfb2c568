"""The page of the data room: what it sets going, and what it shows of a result."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from core import paths, recorded
from core.dataroom import place
from core.dataroom.place import Order
from core.dataroom.review import REVIEW
from core.files import write_json
from core.runs.arrays import sprite_of
from core.runs.spec import Spec
from dashboard.i18n import catalogue
from dashboard.views import data_room
from tests.conftest import Started
from tests.dashboard.conftest import Asked, words

Open = Callable[..., AppTest]
BOTH = pytest.mark.parametrize("lang", ["en", "ja"])


pytestmark = pytest.mark.usefixtures("no_worker_starts")


def finished(order: Order, target: int | None) -> None:
    """A result of four images, as the command writes it."""
    one: dict[str, Any] = {"flagged": 1, "target": target, "suspected": [] if target is None else [target],
                           "recall": 96.5, "false_alarms": 0.5, "threshold": 1.6}  # fmt: skip
    order.folder.mkdir(parents=True)
    result = {
        "set": "digits", "images": 4, "flagged": 1, "target": target, "filter": "contamination", "classes": ["0", "1"],
        "filters": {"contamination": one}, "shown": [2, 0, 3],
        "warnings": [{"code": "room_duplicates", "facts": {"count": 3}}],
    }  # fmt: skip
    write_json(order.folder / place.RESULT, result)
    (order.folder / place.LIST).write_text(
        "index,file,label,score_contamination,flagged\n0,,0,0.5,0\n1,,1,0.2,0\n2,,0,9,1\n3,,1,1,0\n"
    )
    write_json(order.folder / place.TRUTH, [2])
    write_json(order.folder / place.ORDER, asdict(order))
    (order.folder / place.SUSPICIOUS).write_bytes(sprite_of(np.zeros((3, 8, 8, 3))))


def visited(open_page: Open, order: Order, lang: str) -> AppTest:
    app = open_page("data_room", lang)
    app.query_params[data_room.VISIT] = order.key
    app.run()
    assert not app.exception
    return app


@BOTH
def test_the_button_starts_the_work_on_the_chosen_set(
    home: object, open_page: Open, no_worker_starts: Started, lang: str
) -> None:
    app = open_page("data_room", lang)
    assert not app.exception
    app.button(key="start").click().run()
    assert not app.exception
    (command,) = no_worker_starts
    order = Order("digits", "badnets", 0.1, most=data_room.LAB_IMAGES)
    assert command == ["core", "data-room", *order.arguments, "--out", str(order.folder), "--note"]
    assert app.query_params[data_room.VISIT] == order.key


@BOTH
@pytest.mark.parametrize(
    ("order", "named"), [(Order("/of/ours/bought.npz"), "bought.npz"), (Order("digits", "badnets", 0.05), "BadNets")]
)
def test_a_result_says_which_set_it_is_of_since_the_form_may_show_another(
    home: object, open_page: Open, lang: str, order: Order, named: str
) -> None:
    finished(order, target=0)
    said = words(visited(open_page, order, lang))
    key = "data_room.of_lab" if order.attack else "data_room.of"
    before = catalogue(lang)[key].split("{")[0]
    (line,) = [one for one in said.split("\n") if one.startswith(before)]
    assert named in line
    assert "/of/ours" not in line
    assert ("5" in line) is bool(order.attack)


@BOTH
def test_where_splitting_fails_is_said_before_it_starts(home: object, open_page: Open, lang: str) -> None:
    app = open_page("data_room", lang)
    warned = catalogue(lang)["data_room.split_limit"]
    for way, said in (("retrain", False), ("split", True), ("all", True)):
        app.selectbox(key="data_room_then").set_value(way).run()
        assert (warned in words(app)) == said


@pytest.mark.parametrize("images", ["signs", "digits"])
def test_the_form_begins_with_the_set_of_the_recording(home: object, open_page: Open, images: str) -> None:
    folder = recorded.emptied(paths.RECORDED / data_room.RECORDED)
    write_json(folder / place.ORDER, asdict(Order(images)))
    recorded.seal(folder, "made by hand", [], {})
    app = open_page("data_room", "en")
    assert not app.exception
    assert app.selectbox(key="data_room_set").value == images


@BOTH
@pytest.mark.parametrize("target", [0, None])
def test_a_result_is_shown_with_its_figures_and_its_list(
    home: object, open_page: Open, lang: str, target: int | None
) -> None:
    order = Order("digits", "badnets")
    finished(order, target)
    app = visited(open_page, order, lang)
    said = words(app)
    key = "data_room.nothing" if target is None else "data_room.found"
    start = catalogue(lang)[key].split("{")[-1].split("}")[-1]
    assert start in said
    assert catalogue(lang)["found.room_duplicates"].format(count=3) in said
    assert "96.5" in str(app.dataframe[0].value.iloc[0].tolist())
    assert (catalogue(lang)["data_room.of_all"] in said) == (target is None)


@BOTH
def test_a_set_that_cannot_be_judged_is_not_called_clean(home: object, open_page: Open, lang: str) -> None:
    order = Order("digits", "badnets")
    finished(order, None)
    result = place.result(order)
    assert result is not None
    result["filters"]["contamination"]["judged"] = False
    result["warnings"] = [{"code": "room_few_classes", "facts": {"filters": "contamination, ss", "least": 4}}]
    write_json(order.folder / place.RESULT, result)
    app = visited(open_page, order, lang)
    said, own = words(app), catalogue(lang)
    assert own["data_room.not_judged"].format(images=4) in said
    assert own["data_room.nothing"].split("{")[-1].split("}")[-1] not in said
    names = f"{own['data_room.filter.contamination']}, {own['data_room.filter.ss']}"
    assert own["found.room_few_classes"].format(filters=names, least=4) in said


@BOTH
def test_a_fault_is_told_in_the_readers_language(home: object, open_page: Open, lang: str) -> None:
    order = Order("/no/where")
    order.folder.mkdir(parents=True)
    write_json(order.folder / place.ORDER, asdict(order))
    failure = {"code": "bad_false_alarms", "message": "English only.", "facts": {"given": "2"}}
    write_json(order.folder / place.JOB, {"worker": None, "ended": True, "failure": failure})
    app = visited(open_page, order, lang)
    assert catalogue(lang)["error.bad_false_alarms"].format(given="2") in words(app)
    assert "data_room_retry" in {button.key for button in app.button}


def figures(app: AppTest) -> list[str]:
    return [metric.value for metric in app.metric]


@BOTH
def test_what_is_put_back_counts_at_once_is_undone_and_is_there_after_a_reload(
    home: object, open_page: Open, lang: str
) -> None:
    order = Order("digits", "badnets")
    finished(order, 0)
    written = {file: file.read_bytes() for file in order.folder.iterdir()}
    app = visited(open_page, order, lang)
    unit = catalogue(lang)["unit.percent"]
    all_, none = unit.format(value="100.0"), unit.format(value="0.0")
    assert figures(app) == ["1", "3", all_, none]
    app.button(key="review_page").click().run()
    assert not app.exception
    assert figures(app) == ["0", "4", none, none]
    assert catalogue(lang)["data_room.review.page_out"] in words(app)
    assert {file: file.read_bytes() for file in written} == written
    again = visited(open_page, order, lang)
    assert figures(again) == ["0", "4", none, none]
    again.button(key="review_undo").click().run()
    assert figures(again) == ["1", "3", all_, none]
    again.segmented_control(key="data_room_kind").set_value("kept").run()
    again.button(key="review_page").click().run()  # leaves the kept ones on it out as well
    assert figures(again) == ["3", "1", all_, unit.format(value="66.7")]
    again.button(key="review_clear").click().run()
    assert figures(again) == ["1", "3", all_, none]
    assert not again.exception


def test_one_goes_on_with_the_list_as_it_is_by_then(home: object, open_page: Open, no_worker_starts: Started) -> None:
    order = Order("digits", "badnets")
    finished(order, 0)
    app = visited(open_page, order, "en")
    app.button(key="review_page").click().run()
    app.selectbox(key="data_room_review_then").set_value("retrain").run()
    app.button(key="review_start").click().run()
    assert not app.exception
    ((_, _, *arguments),) = no_worker_starts
    listed = Path(arguments[arguments.index("--reviewed") + 1])
    assert arguments[arguments.index("--then") + 1] == "retrain"
    rows = listed.read_text().splitlines()
    assert (rows[0][-9:], rows[3]) == (",reviewed", "2,,0,9,1,keep")
    new = app.query_params[data_room.VISIT]
    found = place.order_of(new)
    assert found is not None
    assert (found.reviewed, found.images, found.attack) == (str(listed), "digits", "badnets")


@BOTH
def test_of_a_recording_marks_live_in_the_session(home: Path, open_page: Open, lang: str) -> None:
    order = Order("digits", "badnets")
    finished(order, 0)
    folder = paths.RECORDED / data_room.RECORDED
    folder.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(order.folder, folder)
    recorded.seal(folder, "made by hand", [], {})
    app = open_page("data_room", lang)
    assert not app.exception
    assert catalogue(lang)["data_room.review.session"] in words(app)
    app.button(key="review_page").click().run()
    assert figures(app)[:2] == ["0", "4"]
    assert recorded.shipped(data_room.RECORDED) is not None
    assert not list(home.rglob(REVIEW))
    assert figures(open_page("data_room", lang))[:2] == ["1", "3"]


@pytest.mark.parametrize(("images", "given"), [("digits", ["digits"]), ("/my/photos", [])])
def test_a_candidate_is_led_to_its_proof(
    home: object, open_site: Callable[..., AppTest], asked: Asked, images: str, given: list[str]
) -> None:
    order = Order(images, "badnets" if given else "", then="retrain")
    finished(order, 0)
    way = {"ba": 90.0, "asr": 1.0, "minutes": 0.1, "lost": 1}
    weights = order.folder / "candidate-retrain.safetensors"
    weights.write_bytes(b"weights")
    result = place.result(order)
    assert result is not None
    then = {"before": way, "retrain": way | {"weights": str(weights)}}
    write_json(order.folder / place.RESULT, result | {"then": then})
    app = open_site("data_room")
    app.query_params[data_room.VISIT] = order.key
    app.run()
    app.button(key="prove-retrain").click().run()
    assert not app.exception
    assert asked() == [Spec(weights=str(weights), images=name) for name in given]
    if not given:
        assert app.text_input(key="give_weights_path").value == str(weights)
        assert app.text_input(key="give_images_path").value == ""
