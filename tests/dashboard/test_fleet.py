"""The page Fleet: from files alone, while it goes on and after it, in both languages."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core import paths
from core.fleet import place
from core.fleet.place import Order, Standing
from core.fleet.rows import Row
from core.jobs import process
from core.runs.record import Run
from tests.conftest import Started
from tests.dashboard.conftest import PAGE, ROOT, words
from tests.dashboard.test_fleet_data import ROWS

Open = Callable[..., AppTest]
BOTH = pytest.mark.parametrize("lang", ["en", "ja"])
FAULT = {"error": "English only", "code": "budget_too_small", "facts": {"count": 5, "classes": 12}}
SAYS = {
    "none": {"en": "No fleet has been scanned yet", "ja": "一括検査の結果はまだありません"},
    "head": {"en": "2 of 4 models show signs", "ja": "4 件のモデルのうち 2 件"},
    "signs": {"en": "Strong signs of a backdoor", "ja": "バックドアの強い兆候"},
    "fault": {"en": "smaller than the 12 classes", "ja": "12 クラスに足りません"},
    "stopped": {"en": "The same command goes on", "ja": "続きから再開します"},
}
TWO_PAGES = """
import streamlit as st
from dashboard.components import frame
from dashboard.views import fleet
def examine():
    st.markdown("examining " + st.query_params["run"])
pages = {"fleet": st.Page(fleet.page, url_path="fleet", default=True), "examine": st.Page(examine, url_path="examine")}
frame.PAGES.update(pages)
st.navigation(list(pages.values())).run()
"""


def make(name: str, rows: list[Row], **entries: object) -> Path:
    folder = place.fleets_folder() / name
    with place.opened(folder, Order("/models", "digits")):
        pass
    standing = Standing(rows, 60.0, "local", 2, "done", len(rows), len(rows), created="2026-03-04T05:06:07+00:00")
    place.write_standing(folder, replace(standing, **entries))  # type: ignore[arg-type]
    return folder


@pytest.fixture
def fleet(home: Path) -> Path:
    return make("ours", [*ROWS[:3], replace(ROWS[3], **FAULT)])


@BOTH
def test_without_a_fleet_the_page_says_how_to_make_one(home: Path, open_page: Open, lang: str) -> None:
    app = open_page("fleet", lang)
    assert not app.exception
    assert SAYS["none"][lang] in words(app)
    assert "python -m core fleet" in app.code[0].value


@BOTH
def test_a_fleet_is_told_in_figures_and_as_a_table(fleet: Path, open_page: Open, lang: str) -> None:
    app = open_page("fleet", lang)
    assert not app.exception
    assert SAYS["head"][lang] in words(app)
    assert [cell.value for cell in app.metric] == ["4", "1", "1", "1", "1"]
    table = app.dataframe[0].value
    assert table["model"].tolist() == ["Z.pt", "b.pt", "c.pt", "broken.pt"]
    assert SAYS["signs"][lang] in words(app)


@BOTH
def test_filters_say_how_many_are_left(fleet: Path, open_page: Open, lang: str) -> None:
    app = open_page("fleet", lang)
    app.text_input(key="fleet_search").set_value("ada").run()
    assert app.dataframe[0].value["model"].tolist() == ["b.pt"]
    assert {"en": "1 of 4", "ja": "4 件中 1 件"}[lang] in words(app)
    app.text_input(key="fleet_search").set_value("nobody").run()
    assert not app.exception
    assert not app.dataframe


@BOTH
def test_a_model_that_could_not_be_looked_at_says_why_in_the_readers_language(
    fleet: Path, open_page: Open, lang: str
) -> None:
    app = open_page("fleet", lang)
    app.selectbox(key="fleet_row").set_value("broken.pt").run()
    assert not app.exception
    assert SAYS["fault"][lang] in app.error[0].value
    assert "English only" not in words(app)


def test_a_rows_run_is_opened_where_other_pages_find_it(fleet: Path, make_run: Callable[..., Run]) -> None:
    run = make_run("one", "done")
    run.folder.parent.mkdir(exist_ok=True)
    (fleet / "runs").mkdir()
    run.folder.rename(fleet / "runs" / "r1")
    app = AppTest.from_string(TWO_PAGES, default_timeout=60).run()
    app.button(key="open-scan").click().run()
    assert not app.exception
    assert "examining one" in words(app)
    assert (paths.runs_folder() / "one").resolve() == fleet / "runs" / "r1"


@BOTH
def test_a_fleet_that_goes_on_shows_how_far_it_is_and_one_that_stopped_how_to_go_on(
    home: Path, open_page: Open, lang: str
) -> None:
    rows = [*ROWS[:2], Row("later.pt", "/l", "digits")]
    make("going", rows, stage="scan", done=2, total=3, seconds_left=65.0, worker=process.identity())
    app = open_page("fleet", lang)
    assert not app.exception
    assert {"en": "Scanning: 2 of 3", "ja": "3 件中 2 件"}[lang] in app.get("progress")[0].proto.text
    assert "1:05" in app.get("progress")[0].proto.text
    make("halted", rows, stage="scan", done=2, total=3)
    app = open_page("fleet", lang)
    app.selectbox(key="fleet").set_value("halted").run()
    assert SAYS["stopped"][lang] in words(app)


@pytest.mark.parametrize(("purify", "engine"), [(True, "local"), (False, "dask")])
def test_a_fleet_that_was_stopped_while_it_scanned_goes_on_to_what_it_was_begun_for(
    home: Path, open_page: Open, no_worker_starts: Started, monkeypatch: pytest.MonkeyPatch, purify: bool, engine: str
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", sys)  # as if it were installed; it is not used
    make("halted", ROWS[:2], stage="scan", done=1, total=2, purify=purify, engine=engine)
    app = open_page("fleet")
    app.button(key="fleet_resume").click().run()
    assert not app.exception
    (command,) = no_worker_starts
    assert command[:2] == ["core", "fleet"]
    assert ("--purify" in command) is purify
    assert command[command.index("--engine") + 1] == engine


@BOTH
def test_a_fleet_is_begun_on_the_engine_that_is_chosen(
    home: Path, open_page: Open, no_worker_starts: Started, monkeypatch: pytest.MonkeyPatch, lang: str
) -> None:
    (home / "models").mkdir(parents=True)
    (home / "models" / "a.pt").write_bytes(b"")
    app = open_page("fleet", lang)
    app.text_input(key="fleet_models").set_value(str(home / "models")).run()
    app.selectbox(key="fleet_images").set_value("digits").run()
    for package, installed in ((None, False), (sys, True)):
        monkeypatch.setitem(sys.modules, "distributed", package)
        app.selectbox(key="fleet_engine").set_value("dask").run()
        assert not app.exception
        assert ("pip install --group cluster" in words(app)) is not installed
        assert app.button(key="fleet_start").disabled is not installed
    app.button(key="fleet_start").click().run()
    (command,) = no_worker_starts
    assert command[command.index("--engine") + 1] == "dask"


def test_a_home_folder_of_nobody_is_no_place_of_models(home: Path, open_page: Open) -> None:
    app = open_page("fleet")
    app.text_input(key="fleet_models").set_value("~nobody-of-that-name/models").run()
    app.button(key="fleet_start").click().run()
    assert not app.exception
    assert "There is no folder" in app.error[0].value


def test_a_fleet_that_is_not_there_is_told(fleet: Path) -> None:
    app = AppTest.from_string(PAGE.format(page="fleet"), default_timeout=60)
    app.context = {"locale": "en-GB", "timezone": "UTC"}
    app.query_params["fleet"] = "../../etc"
    app.run()
    assert not app.exception
    assert "There is no fleet" in app.info[0].value


def test_one_page_of_a_large_fleet_is_drawn(home: Path, open_page: Open) -> None:
    rows = [Row(f"m{number:05}.pt", "/m", "digits", verdict="none", risk=1.0, step="watch") for number in range(412)]
    make("large", rows)
    app = open_page("fleet")
    assert not app.exception
    assert len(app.dataframe[0].value) == 50
    assert "412 of 412" in words(app)


def test_the_page_needs_no_torch(fleet: Path) -> None:
    script = (
        "import sys\nfrom streamlit.testing.v1 import AppTest\n"
        f"app = AppTest.from_string({PAGE.format(page='fleet')!r}, default_timeout=120).run()\n"
        "assert not app.exception, app.exception\nassert app.dataframe\nprint('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, check=True
    )
    assert done.stdout.strip().splitlines()[-1] == "False"
