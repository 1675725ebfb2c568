"""The form of a settled map: what it asks for, and how long the page waits for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from core.explore import place
from core.explore.settled import Settled
from core.files import write_json
from core.jobs import process
from core.jobs.note import IDLE
from core.runs.record import Run
from dashboard.components import settled_map
from dashboard.components.settled_map import WANTED
from dashboard.i18n import catalogue
from tests.conftest import Started
from tests.dashboard.test_explore_data import explored

Open = Callable[..., AppTest]
Make = Callable[..., Run]


@pytest.fixture(autouse=True)
def started(no_worker_starts: Started) -> Started:
    """The computations that the page set going."""
    return no_worker_starts


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_the_form_asks_for_the_map_with_its_settings(
    open_page: Open, make_run: Make, started: Started, lang: str
) -> None:
    run = make_run("one", "done")
    explored(run)
    app = open_page("explore", lang, run="one")
    assert not app.exception
    assert started == []
    app.slider(key="settled_n_neighbors").set_value(50)
    app.slider(key="settled_min_dist").set_value(0.3)
    app.toggle(key="settled_densmap").set_value(True)
    app.toggle(key="settled_seeded").set_value(False)
    draw = next(button for button in app.button if button.label == catalogue(lang)["settled.draw"])
    draw.click().run()
    assert not app.exception
    asked = Settled(n_neighbors=50, min_dist=0.3, densmap=True, seed=None)
    assert started == [["core", "explore", str(run.folder), "--settled", asked.key, "--linger", str(place.LINGER)]]
    assert place.wanted_settled(run) == asked.key
    assert app.session_state[WANTED]["one"]["id"] == asked.id
    assert not app.session_state["settled"], "the form goes, so that the map is seen"


@pytest.mark.parametrize(("lang", "stop"), [("en", ". "), ("ja", "。")])
def test_each_setting_is_explained_in_one_sentence(open_page: Open, make_run: Make, lang: str, stop: str) -> None:
    explored(make_run("one", "done"))
    app = open_page("explore", lang, run="one")
    widgets = [*app.slider, *app.toggle, *app.number_input, *app.get("button_group")]
    mine = [widget for widget in widgets if "settled_" in widget.proto.id]
    assert len(mine) == 8
    for widget in mine:
        assert f"{widget.proto.help} ".count(stop) == 1, widget.proto.id


def test_a_map_that_is_there_is_shown_and_not_drawn_again(open_page: Open, make_run: Make, started: Started) -> None:
    run = make_run("one", "done")
    explored(run)
    made = place.DrawnMap(np.zeros((1, 6, 2), np.float32), np.ones(1, np.float32))
    place.write(run, place.settled_name(Settled().key), made)
    app = open_page("explore", run="one")
    next(button for button in app.button if button.label == catalogue("en")["settled.draw"]).click().run()
    assert app.session_state[WANTED]["one"]["id"] == Settled().id
    assert started == []


def test_without_features_nothing_can_be_asked_for(open_page: Open, make_run: Make) -> None:
    make_run("one", "done")
    app = open_page("explore", run="one")
    assert catalogue("en")["settled.draw"] not in [button.label for button in app.button]


def test_the_page_waits_for_the_map_as_long_as_it_is_being_drawn(
    make_run: Make, started: Started, session: dict[str, Any]
) -> None:
    run = make_run("one", "done")
    explored(run)
    assert not settled_map.awaited(run)
    settled_map.want(run, Settled())
    assert settled_map.awaited(run)
    started.end()
    assert not settled_map.awaited(run), "nobody draws it"
    write_json(place.note_of(run, "settled"), {"worker": process.identity(), "stage": IDLE})
    assert settled_map.awaited(run)
    made = place.DrawnMap(np.zeros((1, 6, 2), np.float32), np.ones(1, np.float32))
    place.write(run, place.settled_name(Settled().key), made)
    assert not settled_map.awaited(run)
