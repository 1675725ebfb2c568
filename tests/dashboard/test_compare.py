"""The page that compares defences: recorded, going on, ended, and in both languages."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.defenses import COMPARED, DEFENCES
from core.events import Event, Finished, Measured
from core.runs import record
from core.runs.record import Run
from core.runs.spec import Spec
from dashboard import i18n
from tests.conftest import Started
from tests.dashboard.conftest import PAGE, story, words
from tests.dashboard.test_compare_data import order

Open = Callable[..., AppTest]
Make = Callable[..., Run]
BOTH = pytest.mark.parametrize("lang", ["en", "ja"])


def ended(asr: float, held: bool = True) -> list[Event]:
    after = Measured("after", 96.4, 96.0, asr, "true", 3000, 2750)
    return [*story()[:-2], after, Finished({"ba_held": held, "clean_images": 600})]


@pytest.fixture
def recorded(make_run: Make) -> None:
    for name, asr in (("mcl", 0.3), ("ft", 98.8), ("fp", 61.5)):
        make_run(f"signs-badnets-{name}", "done", ended(asr, held=name != "fp"), recording=True, spec=order(name))


def opened(group: str, lang: str = "en") -> AppTest:
    """The page at the address of one comparison, by a visitor who was never here."""
    app = AppTest.from_string(PAGE.format(page="compare"), default_timeout=60)
    app.context = {"locale": "en-GB", "timezone": "UTC"}
    app.query_params["lang"], app.query_params["group"] = lang, group
    return app.run()


def queued() -> list[Run]:
    """All runs, each after the one that it waits for."""
    waits_for = {run.data["after"]: run for run in record.list_runs()}
    found: list[Run] = []
    while following := waits_for.get(found[-1].id if found else None):
        found.append(following)
    assert len(found) == len(waits_for)
    return found


def keys(app: AppTest) -> set[str | None]:
    return {button.key for button in app.button}


@BOTH
def test_without_a_recording_the_page_says_what_to_do(home: object, open_page: Open, lang: str) -> None:
    app = open_page("compare", lang)
    assert not app.exception
    assert app.info
    assert not app.button(key="start").disabled


@BOTH
def test_the_recorded_comparison_is_there_at_once(recorded: None, open_page: Open, lang: str) -> None:
    app = open_page("compare", lang)
    assert not app.exception
    said = words(app)
    for figure in ("98.8", "61.5", "0.3", "600"):
        assert figure in said
    assert {"en": "1 of 3 methods", "ja": "3 手法のうち 1 手法"}[lang] in said
    assert {"en": "nothing handed out", "ja": "出力なし"}[lang] in said
    assert {"en": "another model may rank", "ja": "順位も変わる"}[lang] in said
    assert {"open-mcl", "open-ft", "open-fp"} <= keys(app)
    assert said.count("data:image/png") == 4, "the model as it came, and three methods"


def test_pressing_start_queues_the_chosen_methods(home: object, open_page: Open, no_worker_starts: Started) -> None:
    app = open_page("compare")
    app.button_group(key="compare_methods").set_value(["nc", "mcl"]).run()
    app.button(key="start").click().run()
    assert not app.exception
    runs = queued()
    assert [run.spec.defence for run in runs] == ["mcl", "nc"]
    assert {(run.spec.victim, run.spec.clean_budget, run.spec.seed) for run in runs} == {("signs-badnets", 0.05, 0)}
    assert no_worker_starts == [["core", "work", str(runs[0].folder)]]
    assert app.query_params["group"] == runs[0].data["group"]
    assert app.button(key="start").disabled, "one comparison at a time"
    assert "stop" in keys(app)


def test_several_seeds_are_queued_one_after_the_other(home: object, open_page: Open, no_worker_starts: Started) -> None:
    app = open_page("compare")
    app.button_group(key="compare_methods").set_value(["ft", "mcl"]).run()
    app.button_group(key="compare_seeds").set_value(3).run()
    app.number_input(key="compare_seed").set_value(7).run()
    app.button(key="start").click().run()
    assert [(run.spec.seed, run.spec.defence) for run in queued()] == [
        (7, "mcl"), (7, "ft"), (8, "mcl"), (8, "ft"), (9, "mcl"), (9, "ft"),
    ]  # fmt: skip


@BOTH
def test_several_seeds_are_told_by_mean_and_range(make_run: Make, lang: str) -> None:
    for seed, asr in enumerate((0.4, 3.0, 1.4)):
        make_run(f"20260101-00000{seed}-a", "done", ended(asr), spec=order("mcl", seed=seed), group="g")
        make_run(f"20260101-00000{seed}-b", "done", ended(asr + 4), spec=order("ft", seed=seed), group="g")
    app = opened("g", lang)
    assert not app.exception
    said = words(app)
    assert "1.6" in said
    assert "<i>0.4–3.0</i>" in said
    assert {"en": "seeds 0, 1, 2", "ja": "シード 0, 1, 2"}[lang] in said
    assert {"en": "1 of 2 methods", "ja": "2 手法のうち 1 手法"}[lang] in said, "FT stayed below 5 % with two of three"
    assert {"en": "each of the 3 seeds", "ja": "3 個のシードすべて"}[lang] in said
    assert said.count("data:image/png") == 3, "of the first seed: the model as it came, and two methods"
    assert sum(button.key.startswith("open-") for button in app.button if button.key) == 6


@BOTH
def test_every_method_says_what_it_is_and_where_it_comes_from(recorded: None, open_page: Open, lang: str) -> None:
    said = words(open_page("compare", lang))
    for name in ("mcl", "ft", "fp"):
        assert i18n.catalogue(lang)[f"defence.{name}.text"] in said


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_the_sentence_on_every_method_names_paper_and_year(lang: str) -> None:
    for name in DEFENCES:
        assert re.search(r"(19|20)\d\d", i18n.catalogue(lang)[f"defence.{name}.text"]), name


def test_a_refused_start_says_why(home: Path, open_page: Open) -> None:
    home.mkdir()
    (home / "runs").write_text("a file in the place of the folder")
    app = open_page("compare", "ja")
    app.button(key="start").click().run()
    assert i18n.catalogue("ja")["error.folder_not_writable"].split("{")[0] in app.error[0].value


def test_all_methods_are_offered_and_the_usual_ones_chosen(home: object, open_page: Open) -> None:
    """Nine would take several minutes of a visitor who only pressed the button."""
    app = open_page("compare")
    methods = app.button_group(key="compare_methods")
    assert len(methods.options) == len(DEFENCES)
    assert methods.value == list(COMPARED)


@BOTH
def test_a_method_whose_training_diverged_says_so_and_the_others_stand(make_run: Make, lang: str) -> None:
    failure = {"code": "training_diverged", "message": "English only", "facts": {"step": 7, "lr": "0.01"}}
    make_run("20260101-000000-a", "done", ended(0.3), spec=order("mcl"), group="g")
    make_run("20260101-000001-b", "failed", story(whole=False), spec=order("sau"), group="g", failure=failure)
    app = opened("g", lang)
    assert not app.exception
    said = words(app)
    assert {"en": "diverged at step 7", "ja": "ステップ 7 で発散"}[lang] in said
    assert "0.3" in said


def test_nothing_chosen_nothing_to_start(home: object, open_page: Open) -> None:
    app = open_page("compare")
    app.button_group(key="compare_methods").set_value([]).run()
    assert app.button(key="start").disabled


@BOTH
def test_a_comparison_that_was_interrupted_can_be_taken_up(make_run: Make, lang: str) -> None:
    make_run("20260101-000000-a", "done", ended(0.3), spec=order("mcl"), group="g")
    make_run("20260101-000001-b", "running", story(whole=False), spec=order("ft"), group="g")
    make_run("20260101-000002-c", "queued", [], spec=order("nc"), group="g", after="20260101-000001-b", worker=None)
    app = opened("g", lang)
    assert not app.exception
    assert "resume" in keys(app)
    assert {"en": "Interrupted", "ja": "中断"}[lang] in words(app)
    assert "0.3" in words(app)
    app.button(key="back").click().run()
    assert "group" not in app.query_params


def test_a_comparison_that_is_gone_leads_back_to_the_recorded_one(recorded: None, open_page: Open) -> None:
    app = open_page("compare")
    app.query_params["group"] = "../../etc"
    app.run()
    assert not app.exception
    assert "98.8" in words(app)


def test_after_a_reload_the_model_is_still_the_one_compared(make_run: Make) -> None:
    spec = Spec(victim="cifar10-badnets", images="cifar10", defence="ft").to_dict()
    make_run("20260101-000000-a", "done", ended(0.3), spec=spec, group="g")
    app = opened("g")
    assert not app.exception
    assert app.selectbox(key="compare_victim").value == "cifar10-badnets"


@BOTH
def test_a_method_this_version_does_not_know_is_shown_by_its_name(make_run: Make, lang: str) -> None:
    make_run("20260101-000000-a", "done", ended(0.3), spec=order("mcl"), group="g")
    for number in (1, 2):
        spec = order("ft") | {"defence": "<b>later*"}
        make_run(f"20260101-00000{number}-b", "done", ended(1.5), spec=spec, group="g")
    app = opened("g", lang)
    assert not app.exception
    assert "&lt;b&gt;later*" in words(app)
    assert "<b>later" not in words(app)
    assert sum("later" in button.label for button in app.button) == 2


def test_a_stop_that_cannot_be_written_down_is_told(make_run: Make) -> None:
    run = make_run("20260101-000000-a", "queued", [], spec=order("ft"), group="g", worker=None, queued=record.now())

    (run.folder / "control").mkdir()  # in the place of the file that tells the worker
    app = opened("g", "ja")
    app.button(key="stop").click().run()
    assert not app.exception
    assert "待機中の実行を記録できませんでした" in app.toast[0].value
    assert run.status == "queued"
