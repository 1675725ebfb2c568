"""The report on the pages: its buttons, and what to do next with the figures of the run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from html import escape
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from core import report
from core.jobs.process import identity
from core.rollout.wording import in_use
from core.runs import file_hashes
from core.runs.record import Run
from core.words import Words
from tests.core.report.conftest import PRINTED, stand_in
from tests.dashboard.conftest import story, words

Open = Callable[..., AppTest]
Make = Callable[..., Run]
SAYS = {"en": ("What to do next", "May it be used?"), "ja": ("次に行うこと", "使用してよいか")}


@pytest.fixture
def pressed(monkeypatch: pytest.MonkeyPatch) -> dict[str, SimpleNamespace]:
    """What each download button of the component was drawn with, by its key."""
    drawn: dict[str, SimpleNamespace] = {}

    def button(label: str, **how: Any) -> None:
        drawn[how["key"]] = SimpleNamespace(label=label, **how)

    monkeypatch.setattr(st, "download_button", button)
    return drawn


@pytest.mark.parametrize("lang", ["en", "ja"])
@pytest.mark.parametrize("status", ["done", "stopped", "failed", "recording"])
def test_a_run_that_has_ended_says_what_to_do_next(open_page: Open, make_run: Make, status: str, lang: str) -> None:
    recorded = status == "recording"
    make_run("one", "done" if recorded else status, story(whole=status in ("done", "recording")), recording=recorded)
    app = open_page("purify", lang, run="one")
    assert not app.exception
    assert all(says in words(app) for says in SAYS[lang])
    labels = [button.proto.label for button in app.get("download_button")]
    assert sum("HTML" in label for label in labels) == 1
    assert sum("PDF" in label for label in labels) == 1


def test_a_run_that_goes_on_does_not_yet(open_page: Open, make_run: Make) -> None:
    make_run("one", "running", story(whole=False), worker=identity())
    assert SAYS["en"][0] not in words(open_page("purify", run="one"))


def test_every_run_in_the_list_has_a_report(open_page: Open, make_run: Make) -> None:
    make_run("mine", "done")
    make_run("shipped", "done", recording=True)
    app = open_page("runs")
    assert not app.exception
    assert len(app.get("download_button")) == 2


def test_the_files_are_made_in_the_readers_language_when_pressed(
    open_page: Open,
    make_run: Make,
    pressed: dict[str, SimpleNamespace],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = make_run("one", "done")
    monkeypatch.setenv("DISSOLVE_BROWSER", str(stand_in(tmp_path / "bin", PRINTED)))
    app = open_page("purify", "ja", run="one")
    assert not app.exception
    html, printed = pressed["next_steps-report-html"], pressed["next_steps-report-pdf"]
    assert html.file_name == "signs-badnets-one-report.ja.html"
    assert html.data().decode() == report.html(run, "ja", ZoneInfo("UTC"), in_use(run, Words("ja")))
    assert not printed.disabled
    assert printed.file_name.endswith(".pdf")
    assert "Chromium" in printed.help
    assert printed.data() == b"%PDF" + html.data()


def test_without_a_browser_the_pdf_says_what_to_do(
    open_page: Open, make_run: Make, pressed: dict[str, SimpleNamespace], no_browser: Path
) -> None:
    make_run("one", "done")
    open_page("purify", run="one")
    assert pressed["next_steps-report-pdf"].disabled
    assert "Chromium" in pressed["next_steps-report-pdf"].help


def test_the_checklist_has_the_figures_of_the_run_and_no_markup_of_the_users(open_page: Open, make_run: Make) -> None:
    hostile = "<script>alert(1)</script>"
    events = story("estimated")
    events[3] = replace(events[3], verdict="strong", facts={"gap": 4.5})  # type: ignore[type-var, call-arg]
    make_run("one", "done", events, classes=[hostile] * 3, spec={"weights": "a", "images": hostile})
    app = open_page("examine", run="one")  # a stranger's model
    assert not app.exception
    shown = next(element.proto.body for element in app.get("html") if "dz-next" in element.proto.body)
    assert hostile not in shown
    assert escape(hostile) in shown
    assert "1.3\u00a0%" in shown
    assert shown.count('class="applies"') == 1


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_a_swapped_result_is_neither_reported_nor_handed_out(open_page: Open, make_run: Make, lang: str) -> None:
    run = make_run("one", "done", story())
    result = run.folder / "model.safetensors"
    result.write_bytes(b"purified")
    run.update(outputs={result.name: file_hashes.of_file(result)})
    assert len(open_page("purify", lang, run="one").get("download_button")) == 3
    result.write_bytes(b"another")
    app = open_page("purify", lang, run="one")
    assert not app.exception
    assert app.get("download_button") == []
    told = {error.value for error in app.error}
    assert len(told) == 1
    assert "SHA-256" in told.pop()
