"""From a run to the other pages that can show it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from core.runs.record import Run
from dashboard.components import links
from dashboard.i18n import catalogue
from tests.dashboard.conftest import story, words
from tests.dashboard.test_compare_data import order

Open = Callable[..., AppTest]
Make = Callable[..., Run]
BOTH = pytest.mark.parametrize("lang", ["en", "ja"])


@pytest.fixture
def turned(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """Which pages were turned to, with what in the address."""
    found: list[tuple[str, Any]] = []
    monkeypatch.setattr(links.frame, "PAGES", {name: name for name in ("explore", "compare", "purify", "examine")})
    monkeypatch.setattr(links.st, "switch_page", lambda page, query_params=None: found.append((page, query_params)))
    return found


def keys(app: AppTest) -> set[str | None]:
    return {button.key for button in app.button}


@BOTH
def test_a_run_that_is_done_leads_on(open_page: Open, make_run: Make, turned: list[tuple[str, Any]], lang: str) -> None:
    make_run("20260101-000000-a", "done", spec=order("mcl"), group="abc")
    make_run("20260101-000000-b", "done", spec=order("nc"), group="abc")
    app = open_page("purify", lang, run="20260101-000000-a")
    assert catalogue(lang)["act.explore"] in words(app)
    assert catalogue(lang)["act.compare"] in words(app)
    app.button(key="onward-explore").click().run()
    app.button(key="onward-compare").click().run()
    assert not app.exception
    assert turned == [("explore", {"run": "20260101-000000-a"}), ("compare", {"group": "abc"})]


def test_every_run_of_the_list_leads_on(open_page: Open, make_run: Make, turned: list[tuple[str, Any]]) -> None:
    for name in ("mcl", "ft"):
        make_run(f"signs-badnets-{name}", "done", recording=True, spec=order(name))
    app = open_page("runs")
    app.button(key="onward-signs-badnets-ft-explore").click().run()
    app.button(key="onward-signs-badnets-ft-compare").click().run()
    assert not app.exception
    assert turned == [("explore", {"run": "signs-badnets-ft"}), ("compare", None)]
    assert app.session_state["compare_victim"] == "signs-badnets"


def test_nothing_leads_nowhere(open_page: Open, make_run: Make) -> None:
    make_run("bare", "done", [])
    make_run("alone", "done")
    make_run("going", "paused", story(whole=False))
    assert not {"onward-explore", "onward-compare"} & keys(open_page("purify", run="bare"))
    assert {"onward-explore", "onward-compare"} & keys(open_page("purify", run="alone")) == {"onward-explore"}
    assert not any(str(key).startswith("onward-bare") for key in keys(open_page("runs")))
