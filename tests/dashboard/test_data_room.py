"""The page of the data room: what it sets going, and what it shows of a result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from core import paths, recorded
from core.dataroom import place
from core.dataroom.place import Order
from core.files import write_json
from dashboard.i18n import catalogue
from dashboard.views import data_room
from tests.conftest import Started
from tests.dashboard.conftest import words

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
        "filters": {"contamination": one}, "shown": [2],
        "warnings": [{"code": "room_duplicates", "facts": {"count": 3}}],
    }  # fmt: skip
    write_json(order.folder / place.RESULT, result)
    (order.folder / place.LIST).write_text(
        "index,file,label,score_contamination,flagged\n0,,0,0.5,0\n1,,1,0.2,0\n2,,0,9,1\n3,,1,1,0\n"
    )
    Image.new("RGB", (48, 48)).save(order.folder / place.SUSPICIOUS)


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
    app = open_page("data_room", lang)
    app.session_state[data_room.ASKED] = asdict(order)
    app.run()
    assert not app.exception
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
    app = open_page("data_room", lang)
    app.session_state[data_room.ASKED] = asdict(order)
    app.run()
    assert not app.exception
    said, own = words(app), catalogue(lang)
    assert own["data_room.not_judged"].format(images=4) in said
    assert own["data_room.nothing"].split("{")[-1].split("}")[-1] not in said
    names = f"{own['data_room.filter.contamination']}, {own['data_room.filter.ss']}"
    assert own["found.room_few_classes"].format(filters=names, least=4) in said


@BOTH
def test_a_fault_is_told_in_the_readers_language(home: object, open_page: Open, lang: str) -> None:
    order = Order("/no/where")
    order.folder.mkdir(parents=True)
    failure = {"code": "bad_false_alarms", "message": "English only.", "facts": {"given": "2"}}
    write_json(order.folder / place.JOB, {"worker": None, "ended": True, "failure": failure})
    app = open_page("data_room", lang)
    app.session_state[data_room.ASKED] = asdict(order)
    app.run()
    assert not app.exception
    assert catalogue(lang)["error.bad_false_alarms"].format(given="2") in words(app)
    assert "data_room_retry" in {button.key for button in app.button}
