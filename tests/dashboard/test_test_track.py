"""The page Test track: which runs it offers, what it sets going, and what it shows while and after it is driven."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from core.explore import place as explored
from core.files import write_json
from core.jobs.process import identity
from core.runs.record import Run
from core.stress import place
from core.words import Words
from dashboard.i18n import catalogue
from tests.conftest import Started
from tests.dashboard.conftest import words

Open = Callable[..., AppTest]
Make = Callable[..., Run]
BOTH = pytest.mark.parametrize("lang", ["en", "ja"])


@pytest.fixture(autouse=True)
def started(no_worker_starts: Started) -> Started:
    """The drives that the page set going."""
    return no_worker_starts


@pytest.fixture
def driven(make_run: Make) -> Run:
    """A run that keeps a purified model."""
    run = make_run("one", "done")
    (run.folder / "model.safetensors").write_bytes(b"weights")
    return run


def figures(run: Run, **more: Any) -> dict[str, Any]:
    """A result as the process would have left it."""
    cell = {
        "corruption": "fog", "strength": 1, "images": 300, "ba_before": 90.0, "ba_after": 84.0, "loss": 6.0,
        "asr_before": 97.5, "asr_after": 1.5, "ece_before": 5.0, "ece_after": 7.0, "chance": 0.001,
    }  # fmt: skip
    row = {"class": 0, "name": "stop", "target": True, "images": 40, "before": 98.0, "after": 80.0}
    pgd = {"epsilon": "8/255", "images": 100, "before": 12.0, "after": 9.0}
    return {
        "source": place.source_of(run), "key": "a1", "settings": {"strengths": [1, 3, 5], "seed": 0},
        "asr_kind": "true", "cells": [cell], "clean": cell | {"corruption": "none"}, "shifted": None,
    } | more | {
        "classes": [row], "robustness": [pgd], "mean_loss": 6.0, "worst_class": row | {"beyond_chance": True},
        "confidence": {"before": 95.0, "after": 90.0, "wrong_before": 70.0, "wrong_after": None},
        "sentence": "told when it was made", "worst": cell, "beyond_chance": 1, "mean_asr_before": 97.5,
        "mean_asr_after": 1.5,
    }  # fmt: skip


def keep(run: Run, found: dict[str, Any]) -> None:
    explored.folder_of(run).mkdir(exist_ok=True)
    place.finish(run, found)


@BOTH
def test_without_a_purified_model_the_page_says_how_to_get_one(open_page: Open, make_run: Make, lang: str) -> None:
    make_run("scan", "done")
    app = open_page("test_track", lang)
    assert not app.exception
    assert catalogue(lang)["stress.none"] in words(app)
    assert "stress_first" in {button.key for button in app.button}


@BOTH
def test_a_run_that_was_not_driven_yet_can_be(open_page: Open, driven: Run, started: Started, lang: str) -> None:
    app = open_page("test_track", lang)
    assert not app.exception
    assert catalogue(lang)["stress.nothing"] in words(app)
    assert started == [], "nothing is driven by itself"
    app.text_input(key="stress_folder").set_value("/photos/other camera").run()
    app.button(key="stress_start").click().run()
    assert started == [["core", "stress", str(driven.folder), "--quick", "--images", "/photos/other camera"]]


@BOTH
def test_what_came_of_it_is_shown(open_page: Open, driven: Run, lang: str) -> None:
    keep(driven, figures(driven))
    app = open_page("test_track", lang, run="one")
    assert not app.exception
    told = words(app)
    fog = Words(lang)("corruption.fog")
    assert {"en": f"is under {fog} at strength 1", "ja": f"最大は{fog}・強度 1"}[lang] in told
    assert "told when it was made" not in told, "the sentence is the reader's"
    assert catalogue(lang)["stress.marked"] in told
    assert catalogue(lang)["stress.trigger_true"] in told
    assert len(app.get("plotly_chart")) == 4
    assert [tile.value.rstrip("\u00a0\u202f %") for tile in app.metric] == ["9.0", "90.0", "–"]
    assert "−18.0" in told


def test_an_estimate_is_called_one_and_no_trigger_is_told(open_page: Open, driven: Run) -> None:
    keep(driven, figures(driven, asr_kind="estimated"))
    told = words(open_page("test_track", run="one"))
    assert catalogue("en")["stress.trigger_estimated"] in told
    assert catalogue("en")["stress.trigger_true"] not in told
    keep(driven, figures(driven, asr_kind="none"))
    assert catalogue("en")["stress.trigger_none"] in words(open_page("test_track", run="one"))


@BOTH
def test_of_a_run_that_knows_a_further_class_the_page_says_which_one_its_trigger_leads_to(
    open_page: Open, make_run: Make, lang: str
) -> None:
    rows = [{"target": 0, "second": 1, "kept": False}, {"target": 1, "second": None, "kept": True}]
    for name, result in (("one", {"purifications": rows[1:]}), ("two", {"purifications": rows})):
        run = make_run(name, "done", result=result)
        (run.folder / "model.safetensors").write_bytes(b"weights")
        keep(run, figures(run))
    sentence, say = catalogue(lang), Words(lang)
    first, other = (say.target("signs", ["speed limit 80", "stop"], label) for label in (0, 1))
    both = sentence["named.target"].format(target=first), sentence["named.other"].format(other=other)
    assert not any(one in words(open_page("test_track", lang, run="one")) for one in both)
    assert all(one in words(open_page("test_track", lang, run="two")) for one in both)
    assert both[1] in words(open_page("explore", lang, run="two"))


def test_images_of_another_camera_have_a_line_of_their_own(open_page: Open, driven: Run) -> None:
    other = {"images": 77, "ba_before": 71.0, "ba_after": 69.5, "asr_before": None, "asr_after": None}
    keep(driven, figures(driven, shifted=other))
    told = words(open_page("test_track", run="one"))
    assert "(77)" in told
    assert "69.5" in told


@BOTH
def test_unclean_images_have_a_table_or_the_command_that_makes_one(open_page: Open, driven: Run, lang: str) -> None:
    keep(driven, figures(driven))
    assert "python -m core stress one --dirty" in words(open_page("test_track", lang, run="one"))
    row = {"ba_before": 97.0, "ba_after": 95.0, "asr_before": 99.0, "asr_after": 3.5, "cure": "holds"}
    lost = {"kind": "triggered", "share": 0.5, "ba_before": 97.0, "ba_after": None, "asr_before": 99.0,
            "asr_after": None, "cure": None}  # fmt: skip
    place.keep_contaminations(driven, [row | {"kind": "labels", "share": 5}, lost])
    app = open_page("test_track", lang, run="one")
    assert not app.exception
    (table,) = [block.value for block in app.markdown if "|---|" in block.value]
    assert len({line.count("|") for line in table.splitlines()}) == 1
    assert catalogue(lang)["cure.short.holds"] in table
    assert "3.5" in table


@BOTH
def test_a_drive_is_watched_and_cannot_be_begun_twice(open_page: Open, driven: Run, lang: str) -> None:
    whole = figures(driven)
    part = {name: whole[name] for name in ("source", "key", "settings", "asr_kind", "cells", "clean")}
    explored.folder_of(driven).mkdir()
    place.keep(driven, part)
    note = {"worker": identity(), "stage": "corruptions", "done": 3, "total": 51, "left": 70.0}
    write_json(explored.note_of(driven, place.KIND), note)
    app = open_page("test_track", lang, run="one")
    assert not app.exception
    assert app.button(key="stress_start").disabled
    assert len(app.get("plotly_chart")) == 3
    explored.note_of(driven, place.KIND).unlink()
    app = open_page("test_track", lang, run="one")
    assert not app.exception
    assert [warning.value for warning in app.warning] == [catalogue(lang)["stress.halted"]]


@BOTH
def test_why_a_drive_failed_is_told_without_a_path_of_this_machine(open_page: Open, driven: Run, lang: str) -> None:
    facts = {"path": "/home/somebody/photos", "names": "zero"}
    failure = {"code": "shifted_classes", "message": "/home/somebody", "facts": facts}
    explored.folder_of(driven).mkdir(exist_ok=True)
    write_json(explored.note_of(driven, place.KIND), {"ended": True, "failure": failure})
    app = open_page("test_track", lang, run="one")
    assert not app.exception
    assert "photos" in app.error[0].value
    assert "somebody" not in app.error[0].value


def test_a_start_that_is_refused_says_why(open_page: Open, driven: Run) -> None:
    explored.folder_of(driven).write_text("a file in the place of the folder")
    app = open_page("test_track", run="one")
    app.button(key="stress_start").click().run()
    assert str(explored.folder_of(driven)) in app.error[0].value.replace("\\", "")


def test_a_run_without_a_purified_model_is_named_and_another_opened(
    open_page: Open, make_run: Make, driven: Run
) -> None:
    make_run("scan", "done")
    app = open_page("test_track", run="scan")
    assert not app.exception
    assert app.info
    assert app.selectbox(key="stress_run").value == "one"


def test_images_that_are_not_here_are_asked_for(open_page: Open, driven: Run) -> None:
    driven.update(spec=driven.data["spec"] | {"images": "cifar10", "victim": "cifar10-badnets"})
    app = open_page("test_track", run="one")
    assert not app.exception
    assert "fetch_download" in {button.key for button in app.button}
    assert "stress_start" not in {button.key for button in app.button}
