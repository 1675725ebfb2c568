"""The row of pictures under Examine's answer."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from core.runs.record import Run
from dashboard.i18n import catalogue
from tests.core.report.test_looks import made
from tests.dashboard.conftest import words

Make = Callable[..., Run]
BOTH = pytest.mark.parametrize("lang", ["en", "ja"])
SCRIPT = """
from dashboard.components import frame, looks
from dashboard import data
frame.dress()
looks.{how}(data.find("a"))
"""


@pytest.fixture
def run(make_run: Make) -> Run:
    return make_run("a", "done")


def said(how: str, lang: str) -> str:
    app = AppTest.from_string(SCRIPT.format(how=how), default_timeout=60)
    app.query_params["lang"] = lang
    app.run()
    assert not app.exception
    return words(app)


@BOTH
def test_examine_shows_three_pictures_with_the_sentence(run: Run, lang: str) -> None:
    run.write_looks(made(real=False))
    found = said("draw", lang)
    assert found.count("data:image/png") == 3
    assert catalogue(lang)["looks.title"] in found
    assert catalogue(lang)["looks.picture.estimated"] in found
    for figure in ("61", "6"):
        assert f"{figure}\N{NO-BREAK SPACE}%" in found or f"{figure}%" in found


def test_nothing_is_shown_where_a_run_keeps_none(run: Run) -> None:
    assert "data:image/png" not in said("draw", "en")
