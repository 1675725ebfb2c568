"""From a run to the other pages that can show it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from core.runs.record import Run
from dashboard.i18n import catalogue
from tests.dashboard.conftest import story, words
from tests.dashboard.test_compare_data import order

Open = Callable[..., AppTest]
Make = Callable[..., Run]
BOTH = pytest.mark.parametrize("lang", ["en", "ja"])


pytestmark = pytest.mark.usefixtures("no_worker_starts")  # Explore begins by itself


def keys(app: AppTest) -> set[str | None]:
    return {button.key for button in app.button}


@BOTH
def test_a_run_that_is_done_leads_on(open_site: Open, make_run: Make, lang: str) -> None:
    make_run("20260101-000000-a", "done", spec=order("mcl"), group="abc")
    make_run("20260101-000000-b", "done", spec=order("nc"), group="abc")
    app = open_site("purify", lang, run="20260101-000000-a")
    assert catalogue(lang)["act.explore"] in words(app)
    assert catalogue(lang)["act.compare"] in words(app)
    app.button(key="onward-explore").click().run()
    assert not app.exception
    assert app.title[0].value == catalogue(lang)["explore.title"]
    assert app.query_params["run"] == "20260101-000000-a"
    app = open_site("purify", lang, run="20260101-000000-a")
    app.button(key="onward-compare").click().run()
    assert not app.exception
    assert app.title[0].value == catalogue(lang)["compare.title"]
    assert app.query_params["group"] == "abc"


def test_every_run_of_the_list_leads_on(open_site: Open, make_run: Make) -> None:
    for name in ("mcl", "ft"):
        make_run(f"signs-badnets-{name}", "done", recording=True, spec=order(name))
    app = open_site("runs")
    app.button(key="onward-signs-badnets-ft-explore").click().run()
    assert not app.exception
    assert app.title[0].value == catalogue("en")["explore.title"]
    assert app.query_params["run"] == "signs-badnets-ft"
    app = open_site("runs")
    app.button(key="onward-signs-badnets-ft-compare").click().run()
    assert not app.exception
    assert app.title[0].value == catalogue("en")["compare.title"]
    assert "group" not in app.query_params
    assert app.session_state["compare_victim"] == "signs-badnets"


def test_nothing_leads_nowhere(open_page: Open, make_run: Make) -> None:
    make_run("bare", "done", [])
    make_run("alone", "done")
    make_run("going", "paused", story(whole=False))
    assert not {"onward-explore", "onward-compare"} & keys(open_page("purify", run="bare"))
    assert {"onward-explore", "onward-compare"} & keys(open_page("purify", run="alone")) == {"onward-explore"}
    assert not any(str(key).startswith("onward-bare") for key in keys(open_page("runs")))
