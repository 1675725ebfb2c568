"""The page "Watch": what it says of a watch, in both languages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.runs.record import Run
from core.watch import place
from core.watch.alerts import kept
from tests.dashboard.conftest import words
from tests.dashboard.watched import make_watch

Open = Callable[..., AppTest]
Make = Callable[..., Run]
SAYS = {
    "en": ("answered as Speed limit 80", "sharpness", "the model as it came", "not in the inbox any more"),
    "ja": ("トリガー付きとみられ", "鮮鋭度", "元のモデル", "受信フォルダーにありません"),
}


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_it_tells_of_alerts_drift_images_and_model(open_page: Open, make_run: Make, tmp_path: Path, lang: str) -> None:
    make_watch(make_run("one", "done"), tmp_path / "inbox", drifted=True)
    app = open_page("watch", lang)
    assert not app.exception
    text = words(app)
    for part in SAYS[lang]:
        assert part in text
    assert "abababab" in text


def test_an_alert_is_acknowledged_once(open_page: Open, make_run: Make, tmp_path: Path) -> None:
    folder = make_watch(make_run("one", "done"), tmp_path / "inbox")
    app = open_page("watch")
    app.button(key="acknowledge-5-alike").click().run()
    assert not app.exception
    assert kept(folder / place.ALERTS)["5-alike"].acknowledged is not None
    assert "acknowledge-5-alike" not in {button.key for button in open_page("watch").button}


def test_without_a_watch_it_says_how_to_begin_one(open_page: Open, make_run: Make) -> None:
    make_run("one", "done")
    app = open_page("watch")
    assert not app.exception
    assert "python -m core watch" in app.code[0].value


def test_a_home_folder_of_nobody_is_no_inbox(open_page: Open, make_run: Make) -> None:
    make_run("one", "done")
    app = open_page("watch")
    app.text_input(key="watch_inbox").set_value("~nobody-of-that-name/inbox").run()
    app.button(key="watch_start").click().run()
    assert not app.exception
    assert "There is no folder" in app.error[0].value
