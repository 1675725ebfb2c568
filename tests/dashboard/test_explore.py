"""The page Explore: which run it opens, what it sets going by itself, and what it says where something is missing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from core.events import Frame
from core.explore import place
from core.files import write_json
from core.jobs.process import identity
from core.runs.event_log import EventWriter
from core.runs.record import Run
from core.runs.spec import Spec
from dashboard import explore_data
from dashboard.i18n import catalogue
from dashboard.views import explore
from dashboard.words import run_title
from tests.conftest import Started
from tests.dashboard.conftest import words
from tests.dashboard.test_explore_data import explored

Open = Callable[..., AppTest]
Make = Callable[..., Run]
BOTH = pytest.mark.parametrize("lang", ["en", "ja"])


@pytest.fixture(autouse=True)
def started(no_worker_starts: Started) -> Started:
    """The computations that the page set going."""
    return no_worker_starts


@BOTH
def test_without_a_run_the_page_says_how_to_get_one(home: object, open_page: Open, lang: str) -> None:
    app = open_page("explore", lang)
    assert not app.exception
    assert catalogue(lang)["explore.none"] in words(app)
    assert "explore_first" in {button.key for button in app.button}


@BOTH
def test_a_run_is_opened_and_explored_once(open_page: Open, make_run: Make, started: Started, lang: str) -> None:
    make_run("one", "done")
    run = make_run("two", "done")
    app = open_page("explore", lang, run="two")
    assert not app.exception
    assert app.selectbox(key="explore_run").value == "two"
    assert started == [["core", "explore", str(run.folder)]]
    started.end()
    explored(run)
    assert not open_page("explore", lang, run="two").exception
    assert len(started) == 1


def test_it_opens_on_a_run_with_pictures(open_page: Open, make_run: Make, started: Started, home: Path) -> None:
    make_run("pictures", "done")
    make_run(
        "dots", "done", spec=Spec(victim="cifar10-badnets", images="cifar10").to_dict(), created="2027-01-01T00:00:00"
    )
    assert open_page("explore").selectbox(key="explore_run").value == "pictures"


def test_a_failed_computation_is_not_begun_again_by_itself(open_page: Open, make_run: Make, started: Started) -> None:
    run = make_run("one", "done")
    fault = {"code": "images_changed", "message": "Others.", "facts": {"path": "x", "run": "one"}}
    place.folder_of(run).mkdir(exist_ok=True)
    write_json(place.note_of(run, "base"), {"ended": True, "failure": fault})
    assert not open_page("explore", run="one").exception
    assert started == []


def test_nothing_is_computed_beside_a_purification(open_page: Open, make_run: Make, started: Started) -> None:
    make_run("one", "done")
    make_run("two", "running", worker=identity())
    assert not open_page("explore", run="one").exception
    assert started == []


@BOTH
def test_a_run_without_a_map_is_named_and_another_opened(open_page: Open, make_run: Make, lang: str) -> None:
    make_run("bare", "done", [])
    make_run("one", "done")
    app = open_page("explore", lang, run="bare")
    assert not app.exception
    assert app.info
    assert app.selectbox(key="explore_run").value == "one"


@BOTH
def test_a_run_that_has_no_map_yet_is_waited_for_and_opens_by_itself(
    open_page: Open, make_run: Make, lang: str
) -> None:
    soon = make_run("soon", "running", [], worker=identity())
    make_run("one", "done")
    app = open_page("explore", lang, run="soon")
    assert not app.exception
    assert app.selectbox(key="explore_run").value == "one"
    told = catalogue(lang)["explore.map_soon"].split("{run}")[-1]
    assert [info for info in app.info if told in info.value]
    soon.write_frame(0, np.eye(6, 2), np.zeros(6), np.full(6, 90))
    with EventWriter(soon.folder / "events.jsonl") as log:
        log.append(0.0, Frame(0, 0, "frames/00000.npz", 97.3, 98.9, "true", 0.0, 0.9))
    app.run()
    assert not app.exception
    assert app.selectbox(key="explore_run").value == "soon"
    assert not [info for info in app.info if told in info.value]


def test_who_chooses_another_run_meanwhile_stays_there(open_page: Open, make_run: Make) -> None:
    soon = make_run("soon", "running", [], worker=identity())
    make_run("one", "done", created="2027-01-01T00:00:00+00:00")  # another name in the list
    make_run("two", "done")
    app = open_page("explore", run="soon")
    app.selectbox(key="explore_run").set_value("two").run()
    soon.write_frame(0, np.eye(6, 2), np.zeros(6), np.full(6, 90))
    app.run()
    assert app.selectbox(key="explore_run").value == "two"


@BOTH
def test_what_waits_for_another_run_says_for_which(make_run: Make, session: dict[str, str], lang: str) -> None:
    session["lang"] = lang
    run, other = make_run("one", "done"), make_run("two", "running", worker=identity())
    lack = explore_data.lacks(run)["features"]
    assert lack.passes
    line = explore.lines_of(run, lack)[0]
    assert run_title(other) in line["words"]
    assert line["still"]
    explored(run)
    assert "features" not in explore_data.lacks(run), "what is there needs no machine"
    assert explore_data.lacks(other)["features"].key == "going"


@BOTH
def test_images_that_are_not_here_are_asked_for(open_page: Open, make_run: Make, started: Started, lang: str) -> None:
    spec = make_run("one", "done").data["spec"]
    make_run("two", "done", spec=spec | {"images": "cifar10", "victim": "cifar10-badnets"})
    app = open_page("explore", lang, run="two")
    assert not app.exception
    assert started == []
    assert "fetch_download" in {button.key for button in app.button}


@BOTH
def test_what_takes_the_first_settled_map_so_long_is_told(lang: str, session: dict[str, str]) -> None:
    session["lang"] = lang
    for kind, stage, key in (
        ("settled", "load", "settled_load"), ("settled", "map", "settled"),
        ("place", "load", "place_load"), ("place", "map", "settled"), ("place", "place", "place"),
    ):  # fmt: skip
        told = explore.line_of(place.Job(kind, stage=stage, done=1, total=2, left=3))["words"]
        assert told.startswith(catalogue(lang)[f"explore.job.{key}"])


@BOTH
def test_why_a_computation_failed_is_told_without_a_path_of_this_machine(lang: str, session: dict[str, str]) -> None:
    session["lang"] = lang
    for code, facts in (("images_changed", {"path": "/home/somebody/photos", "run": "one"}), ("of_the_future", {})):
        job = place.Job("base", ended=True, failure={"code": code, "message": "/home/somebody", "facts": facts})
        told = explore.line_of(job)["words"]
        assert "somebody" not in told
        assert catalogue(lang)["explore.job.base"] in told
