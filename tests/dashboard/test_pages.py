"""Every page in both languages and in every state a run can be in."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.events import Repeated, Searched, StageStarted
from core.jobs.process import identity
from core.runs import record
from core.runs.record import Run
from core.runs.spec import Spec
from dashboard.i18n import catalogue
from dashboard.views import PAGES
from tests.dashboard.conftest import ROOT, Asked, story, words

Open = Callable[..., AppTest]
Make = Callable[..., Run]
BOTH = pytest.mark.parametrize("lang", ["en", "ja"])
SAYS = {
    "story": {"en": "This AI reads road signs", "ja": "標識を読み取る AI"},
    "start": {"en": "Purify this model", "ja": "浄化を始める"},
    "done": {"en": "Done", "ja": "完了"},
    "stopped": {"en": "You stopped this run", "ja": "この実行は途中で停止しました"},
    "lost": {"en": "The process behind this run is gone", "ja": "処理していたプロセスが見つかりません"},
    "recording": {"en": "Recording", "ja": "記録"},
    "none": {"en": "No runs yet", "ja": "実行履歴はまだありません"},
    "budget": {"en": "smaller than the 12 classes", "ja": "12 クラスに足りません"},
}
BUDGET = {"code": "budget_too_small", "message": "English only", "facts": {"count": 5, "classes": 12}}


def keys(app: AppTest) -> set[str | None]:
    return {button.key for button in app.button}


@BOTH
@pytest.mark.parametrize("page", [page for page in PAGES if page != "story"])
def test_a_page_without_any_run(home: object, open_page: Open, page: str, lang: str) -> None:
    app = open_page(page, lang)
    assert not app.exception
    expected = {"purify": "start", "runs": "none"}.get(page)
    assert expected is None or SAYS[expected][lang] in words(app)


@BOTH
@pytest.mark.parametrize("page", ["purify", "runs"])
@pytest.mark.parametrize(
    ("status", "says"), [("done", "done"), ("stopped", "stopped"), ("running", "lost"), ("done", "recording")]
)
def test_a_page_with_a_run(open_page: Open, make_run: Make, page: str, status: str, says: str, lang: str) -> None:
    run = make_run("one", status, story(whole=status == "done"), recording=says == "recording")
    app = open_page(page, lang, run="one")
    assert not app.exception
    if page == "purify":
        assert SAYS[says][lang] in words(app)
    assert run.status == {"running": "lost"}.get(status, status)


def test_attack_success_is_told_of_the_class_it_was_counted_for(open_page: Open) -> None:
    """The scan of this victim points to another class than the attacker's; the figures are those of the attacker's."""
    app = open_page("purify", "en", run="signs-sig")
    assert not app.exception
    [lead] = [block.value for block in app.markdown if "were read as" in block.value]
    assert "Speed limit 80" in lead


@BOTH
def test_a_failed_run_says_why_in_the_readers_language(open_page: Open, make_run: Make, lang: str) -> None:
    make_run("one", "failed", [], failure=BUDGET)
    app = open_page("purify", lang, run="one")
    assert not app.exception
    assert SAYS["budget"][lang] in app.error[0].value
    assert "English only" not in words(app)


def test_each_state_offers_its_next_step(open_page: Open, make_run: Make) -> None:
    make_run("finished", "done")
    make_run("stopped", "stopped", story(whole=False))
    make_run("lost", "running", story(whole=False))
    make_run("failed", "failed", [], failure=BUDGET)
    steps = {name: keys(open_page("purify", run=name)) for name in ("finished", "stopped", "lost", "failed")}
    assert "resume" in steps["stopped"]
    assert "resume" in steps["lost"]
    assert "retry" in steps["failed"]
    assert all("again" in step for step in steps.values())
    assert not any({"pause", "stop"} & step for step in steps.values())


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_while_it_scans_the_page_says_what_the_scan_does_and_not_that_the_model_is_purified(
    open_page: Open, make_run: Make, lang: str
) -> None:
    sentence = catalogue(lang)
    for name, told, shown in (
        ("scanning", story()[:3], "phase.scan_help"),
        ("purifying", story()[:5], "lead.running"),
        ("again", [*story()[:5], StageStarted("verify"), Repeated(2, 1), StageStarted("scan")], "phase.scan_help"),
    ):
        make_run(name, "running", told, worker=identity())
        said = [block.value.split("\n")[0] for block in open_page("purify", lang, run=name).markdown]
        assert sentence[shown] in said
        assert len({sentence["phase.scan_help"], sentence["lead.running"]} & {*said}) == 1


def test_the_weights_can_be_taken_away_when_a_run_is_done(open_page: Open, make_run: Make) -> None:
    run = make_run("one", "done")

    def offered() -> bool:
        return "download" in {button.key for button in open_page("purify", run="one").get("download_button")}

    assert not offered()
    (run.folder / "model.safetensors").write_bytes(b"weights")
    assert offered()


@pytest.mark.parametrize("run", ["gone", "../../etc", "..", "."])
def test_a_run_that_is_not_there_leads_to_the_start_page(home: object, open_page: Open, run: str) -> None:
    app = open_page("purify", run=run)
    assert not app.exception
    assert run in app.info[0].value
    assert "start" in keys(app)


def test_another_defence_can_be_chosen(home: object, open_page: Open, asked: Asked) -> None:
    app = open_page("purify")
    app.selectbox(key="setup_method").set_value("nad.default").run()
    app.button(key="start").click().run()
    assert not app.exception
    (order,) = asked()
    assert (order.defence, order.preset) == ("nad", "default")
    assert "NAD" in words(app)


def test_pressing_start_starts_a_run_as_set_up(home: object, open_page: Open, asked: Asked) -> None:
    app = open_page("purify")
    app.button(key="start").click().run()
    assert not app.exception
    assert asked() == [Spec(victim="signs-badnets", images="signs", clean_budget=0.05, preset="default")]
    assert app.query_params["run"] == record.list_runs()[0].id
    assert "stop" in keys(app)


@BOTH
def test_a_refused_start_says_why(home: Path, open_page: Open, lang: str) -> None:
    home.mkdir()
    (home / "runs").write_text("a file in the place of the folder")
    app = open_page("purify", lang)
    app.button(key="start").click().run()
    assert catalogue(lang)["error.folder_not_writable"].split("{")[0] in app.error[0].value


def test_true_and_estimated_attack_rates_are_never_mixed(open_page: Open, make_run: Make) -> None:
    make_run("field", "done", story("estimated"))
    app = open_page("purify", run="field")
    assert "Attack success (estimated)" in words(app)
    assert "(true)" not in words(app)
    assert "Attack success, estimated" in words(open_page("runs"))


def test_images_that_are_not_ours_are_asked_for(home: object, open_page: Open) -> None:
    app = open_page("purify")
    app.selectbox(key="setup_victim").set_value("cifar10-badnets").run()
    assert app.button(key="start").disabled
    app.text_input(key="fetch_folder").set_value("/nowhere/at/all")
    app.button(key="FormSubmitter:folder-Use this folder").click().run()
    assert "/nowhere/at/all" in app.error[0].value
    assert app.button(key="start").disabled


def test_images_on_this_computer_are_used(home: object, open_page: Open, tmp_path: object) -> None:
    mine = home / "mine"  # type: ignore[operator]
    (mine / "cat").mkdir(parents=True)
    app = open_page("purify")
    app.selectbox(key="setup_victim").set_value("cifar10-badnets").run()
    app.text_input(key="fetch_folder").set_value(str(mine))
    app.button(key="FormSubmitter:folder-Use this folder").click().run()
    assert not app.exception
    assert not app.button(key="start").disabled


def test_deleting_asks_first(open_page: Open, make_run: Make) -> None:
    run = make_run("one", "done")
    app = open_page("runs")
    app.button(key="delete-one").click().run()
    assert run.folder.exists()
    app.button(key="confirm").click().run()
    assert not app.exception
    assert not run.folder.exists()


def test_a_recording_cannot_be_deleted(open_page: Open, make_run: Make) -> None:
    make_run("shipped", "done", recording=True)
    assert "delete-shipped" not in keys(open_page("runs"))


def test_an_unreadable_record_does_not_hide_the_others(open_page: Open, make_run: Make) -> None:
    make_run("good", "done")
    broken = make_run("broken", "done")
    (broken.folder / "run.json").write_text("{")
    app = open_page("runs")
    assert not app.exception
    assert "open-good" in keys(app)
    assert "broken" in words(app)


@pytest.mark.parametrize(("locale", "lang"), [("ja-JP", "ja"), ("en-GB", "en"), ("fr-FR", "en")])
def test_the_browsers_locale_sets_the_language(locale: str, lang: str) -> None:
    app = AppTest.from_file(str(ROOT / "dashboard" / "app.py"), default_timeout=60)
    app.context = {"locale": locale}
    app.run()
    assert not app.exception
    assert SAYS["story"][lang] in words(app)


@BOTH
def test_the_scan_of_a_shipped_victim_shows_its_bars(open_page: Open, make_run: Make, lang: str) -> None:
    told = [*story()[:2], story()[5], StageStarted("scan"), Searched("mask", 1, [12.0, 99.0, 40.0], [None, 5.5, None])]
    make_run("one", "running", told, worker=identity())
    said = words(open_page("purify", lang, run="one"))
    assert '<section class="dz-search">' in said
    assert "5.5 px" in said


def test_an_address_keeps_its_language_and_gets_none_unasked() -> None:
    app = AppTest.from_file(str(ROOT / "dashboard" / "app.py"), default_timeout=60)
    app.context = {"locale": "ja-JP"}
    app.run()
    assert "lang" not in app.query_params
    app.query_params["lang"] = "ja"
    assert app.run().query_params["lang"] == "ja"
    del app.query_params["lang"]  # as a link to another page leaves it
    assert app.run().query_params["lang"] == "ja"


def test_the_first_page_loads_nothing_heavy() -> None:
    """Torch and its like would cost seconds before anything is seen."""
    script = (
        "import sys\nfrom streamlit.testing.v1 import AppTest\n"
        "app = AppTest.from_file('dashboard/app.py', default_timeout=120).run()\n"
        "assert not app.exception, app.exception\n"
        "print(sorted({'torch', 'torchvision', 'umap', 'numba', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, check=True
    )
    assert done.stdout.strip().splitlines()[-1] == "[]"
