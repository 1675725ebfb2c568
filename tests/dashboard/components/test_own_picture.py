"""Giving a picture of one's own: what is kept and asked for, how long the page waits, what it says of a refusal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from core.errors import BadInput
from core.explore import pictures, place
from core.explore.settled import Settled
from core.files import write_json
from core.jobs import process
from core.jobs.note import IDLE
from core.runs.record import Run
from dashboard.components import own_picture, settled_map
from dashboard.components.own_picture import WANTED
from dashboard.i18n import catalogue
from dashboard.views import explore
from tests.conftest import Started
from tests.dashboard.conftest import words
from tests.dashboard.test_explore_data import explored

Open = Callable[..., AppTest]
Make = Callable[..., Run]
BOTH = pytest.mark.parametrize("lang", ["en", "ja"])
KEY = Settled().key


@pytest.fixture(autouse=True)
def started(no_worker_starts: Started) -> Started:
    """The computations that the page set going."""
    return no_worker_starts


@pytest.fixture
def run(make_run: Make) -> Run:
    made = make_run("one", "done")
    explored(made)
    return made


def placed(run: Run, subject: str, key: str = KEY) -> pictures.Placed:
    """What the process would have left."""
    made = pictures.Placed(
        np.zeros((1, 2, 2), np.float32), np.array([[1, 0]]), np.full((1, 2), 99.0, np.float32),
        np.zeros((1, 2, 3), np.int32), np.zeros((2, 4, 4, 3), np.uint8),
    )  # fmt: skip
    place.write(run, pictures.name_of(subject, key), made)
    return made


@BOTH
def test_a_picture_is_kept_and_its_place_asked_for(open_page: Open, run: Run, started: Started, lang: str) -> None:
    app = open_page("explore", lang, run="one")
    assert not app.exception
    app.file_uploader[0].upload("my sign.PNG", b"pixels").run()
    assert not app.exception
    kept = next((place.folder_of(run) / "pictures").iterdir())
    assert kept.read_bytes() == b"pixels"
    asked = ["--place", str(kept), "--settled", KEY, "--linger", str(pictures.LINGER)]
    assert started == [["core", "explore", str(run.folder), *asked]]
    assert app.session_state[WANTED]["one"]["name"] == "my sign.PNG"
    assert not app.session_state["own"], "the form goes, so that the map is seen"
    assert app.file_uploader[0].value is None, "there is a place for the next one"

    remove = app.button(key="own_remove")
    assert "my sign" in remove.label
    remove.click().run()
    assert not app.exception
    assert not kept.exists()
    assert "own_remove" not in {button.key for button in app.button}


@BOTH
def test_without_purified_weights_it_is_said_which_map_takes_the_picture(open_page: Open, run: Run, lang: str) -> None:
    told = catalogue(lang)["explore.missing.after"]
    assert told in [caption.value for caption in open_page("explore", lang, run="one").caption]
    (run.folder / "model.safetensors").write_bytes(b"weights")
    explored(run, 2)
    assert told not in [caption.value for caption in open_page("explore", lang, run="one").caption]


@BOTH
def test_what_is_refused_at_once_is_told(open_page: Open, run: Run, started: Started, lang: str) -> None:
    app = open_page("explore", lang, run="one")
    app.file_uploader[0].upload("nothing.png", b"").run()
    assert not app.exception
    assert [error.value for error in app.error] == [catalogue(lang)["error.upload_empty"].format(file="nothing.png")]
    assert started == []


@BOTH
def test_why_no_picture_can_be_placed_now_is_told(open_page: Open, make_run: Make, lang: str) -> None:
    make_run("one", "done")
    app = open_page("explore", lang, run="one")
    assert catalogue(lang)["own.wait"] in [info.value for info in app.info]
    assert not app.file_uploader
    make_run("two", "running", worker=process.identity())
    told = words(open_page("explore", lang, run="one"))
    assert catalogue(lang)["explore.missing.waits"].split("{")[0] in told


def test_a_picture_goes_to_the_map_that_was_looked_at_last(run: Run, session: dict[str, Any], started: Started) -> None:
    wide = Settled(3, n_neighbors=40)
    settled_map.want(run, wide)
    own_picture.want(run, "point-2", "Point 2")
    assert pictures.wanted(run) == ("point-2", wide.key)
    assert started[-1][5:7] == ["--settled", wide.key]
    settled_map.want(run, Settled(3, densmap=True))  # takes no more points
    own_picture.want(run, "point-2", "Point 2")
    assert pictures.wanted(run) == ("point-2", Settled(3).key)


def test_it_is_shown_once_it_is_placed_and_anew_when_asked_for_again(run: Run, session: dict[str, Any]) -> None:
    assert own_picture.shown(run) is None
    own_picture.want(run, "point-2", "Point 2")
    assert own_picture.shown(run) is None
    made = placed(run, "point-2")
    first = own_picture.shown(run)
    assert first is not None
    assert (first.title, first.map) == ("Point 2", Settled().id)
    np.testing.assert_array_equal(first.near, made.near)
    own_picture.want(run, "point-2", "Point 2")
    again = own_picture.shown(run)
    assert again is not None
    assert again.id != first.id, "the room goes to its map again"


def test_the_page_waits_as_long_as_somebody_works_on_it(run: Run, session: dict[str, Any], started: Started) -> None:
    assert not own_picture.awaited(run)
    own_picture.want(run, "point-2", "Point 2")
    assert own_picture.awaited(run)
    started.end()
    assert not own_picture.awaited(run), "nobody is there"
    write_json(place.note_of(run, "place"), {"worker": process.identity(), "stage": IDLE})
    assert own_picture.awaited(run)
    write_json(place.note_of(run, "place"), {"worker": process.identity(), "ended": True})
    assert own_picture.awaited(run), "it went home just then: another one is asked"
    asked = len(started)
    fault = {"code": "images_changed", "message": "Others.", "facts": {}}
    write_json(place.note_of(run, "place"), {"worker": process.identity(), "ended": True, "failure": fault})
    assert not own_picture.awaited(run)
    placed(run, "point-2")
    assert not own_picture.awaited(run)
    assert len(started) == asked


def test_what_another_visit_asked_for_meanwhile_does_not_make_this_one_wait_for_ever(
    run: Run, session: dict[str, Any]
) -> None:
    own_picture.want(run, "point-2", "Point 2")
    write_json(place.note_of(run, "place"), {"worker": process.identity(), "stage": "place"})
    pictures.want(run, "point-3", KEY)
    assert own_picture.awaited(run)
    assert pictures.wanted(run) == ("point-3", KEY), "it is at work, and the other one is next"
    placed(run, "point-3")
    write_json(place.note_of(run, "place"), {"worker": process.identity(), "stage": IDLE})
    assert own_picture.awaited(run)
    assert pictures.wanted(run) == ("point-2", KEY)


@BOTH
def test_a_picture_that_cannot_be_read_goes_by_the_visitors_name(run: Run, session: dict[str, Any], lang: str) -> None:
    session["lang"] = lang
    subject = pictures.keep(run, "half.png", b"half")
    own_picture.want(run, subject, "half.png")
    source = pictures.source_of(run, subject)
    fault = BadInput("unreadable_image", f"{source} cannot be read.", file=str(source), formats="PNG")
    pictures.refuse(run, subject, KEY, fault)
    assert not own_picture.awaited(run)
    lines = explore.lines_of(run, None)
    assert [line["fault"] for line in lines] == [True]
    assert "half.png" in lines[0]["words"]
    assert Path(str(source)).name not in lines[0]["words"]
