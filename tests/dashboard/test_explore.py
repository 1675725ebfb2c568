"""The page Explore: which run it opens, what it sets going by itself, and what it says where something is missing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.explore import place
from core.files import write_json
from core.runs.record import Run
from core.runs.spec import Spec
from dashboard import i18n
from dashboard.i18n import catalogue
from dashboard.views import explore
from tests.dashboard.conftest import words
from tests.dashboard.test_explore_data import explored

Open = Callable[..., AppTest]
Make = Callable[..., Run]
BOTH = pytest.mark.parametrize("lang", ["en", "ja"])


@pytest.fixture(autouse=True)
def started(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """The computations that the page set going."""
    found: list[tuple[str, ...]] = []
    monkeypatch.setattr(place, "start", lambda run, *arguments: found.append((run.id, *arguments)))
    return found


@BOTH
def test_without_a_run_the_page_says_how_to_get_one(home: object, open_page: Open, lang: str) -> None:
    app = open_page("explore", lang)
    assert not app.exception
    assert catalogue(lang)["explore.none"] in words(app)
    assert "explore_first" in {button.key for button in app.button}


@BOTH
def test_a_run_is_opened_and_explored_once(
    open_page: Open, make_run: Make, started: list[tuple[str, ...]], lang: str
) -> None:
    make_run("one", "done")
    run = make_run("two", "done")
    app = open_page("explore", lang, run="two")
    assert not app.exception
    assert app.selectbox(key="explore_run").value == "two"
    assert started == [("two",)]
    explored(run)
    assert not open_page("explore", lang, run="two").exception
    assert started == [("two",)]


def test_it_opens_on_a_run_with_pictures(
    open_page: Open, make_run: Make, started: list[tuple[str, ...]], home: Path
) -> None:
    make_run("pictures", "done")
    make_run(
        "dots", "done", spec=Spec(victim="cifar10-badnets", images="cifar10").to_dict(), created="2027-01-01T00:00:00"
    )
    assert open_page("explore").selectbox(key="explore_run").value == "pictures"


def test_a_failed_computation_is_not_begun_again_by_itself(
    open_page: Open, make_run: Make, started: list[tuple[str, ...]]
) -> None:
    run = make_run("one", "done")
    fault = {"code": "images_changed", "message": "Others.", "facts": {"path": "x", "run": "one"}}
    place.folder_of(run).mkdir(exist_ok=True)
    write_json(place.note_of(run, "base"), {"ended": True, "failure": fault})
    assert not open_page("explore", run="one").exception
    assert started == []


def test_nothing_is_computed_beside_a_purification(
    open_page: Open, make_run: Make, started: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    from dashboard import data

    run = make_run("one", "done")
    monkeypatch.setattr(data, "going_on", lambda besides="": run)
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
def test_images_that_are_not_here_are_asked_for(
    open_page: Open, make_run: Make, started: list[tuple[str, ...]], lang: str
) -> None:
    spec = make_run("one", "done").data["spec"]
    make_run("two", "done", spec=spec | {"images": "cifar10", "victim": "cifar10-badnets"})
    app = open_page("explore", lang, run="two")
    assert not app.exception
    assert started == []
    assert "fetch_download" in {button.key for button in app.button}


@BOTH
def test_what_takes_the_first_settled_map_so_long_is_told(lang: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(i18n, "language", lambda: lang)
    for stage, key in (("load", "explore.job.settled_load"), ("map", "explore.job.settled")):
        told = explore._job(place.Job("settled", stage=stage, done=1, total=2, left=3))["words"]
        assert told.startswith(catalogue(lang)[key])


@BOTH
def test_why_a_computation_failed_is_told_without_a_path_of_this_machine(
    lang: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(i18n, "language", lambda: lang)
    for code, facts in (("images_changed", {"path": "/home/somebody/photos", "run": "one"}), ("of_the_future", {})):
        job = place.Job("base", ended=True, failure={"code": code, "message": "/home/somebody", "facts": facts})
        told = explore._job(job)["words"]
        assert "somebody" not in told
        assert catalogue(lang)["explore.job.base"] in told
