"""The six screens with the shipped victim, in both languages; the words of a screen, and where its buttons lead."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from core import paths, victims
from core.events import Finished, Verified
from core.paths import RECORDINGS, VICTIMS
from core.runs import record
from core.runs.event_log import EventWriter
from core.runs.record import Run
from core.runs.spec import Spec
from dashboard import glossary, i18n, live
from dashboard.views.story import STEPS
from tests.dashboard.conftest import ROOT, Asked, words

BOTH = pytest.mark.parametrize("lang", ["en", "ja"])
Visit = Callable[..., AppTest]


@pytest.fixture
def visit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Visit:
    """Opens the dashboard, with the shipped victims and no runs: ``visit(step=4, lang="ja", run="id")``."""
    monkeypatch.setenv("DISSOLVE_HOME", str(tmp_path))

    def go(step: object = None, lang: str = "en", run: str | None = None) -> AppTest:
        app = AppTest.from_file(str(ROOT / "dashboard" / "app.py"), default_timeout=60)
        app.context = {"locale": "en-GB", "timezone": "UTC"}
        app.query_params["lang"] = lang
        for name, value in (("step", step), ("run", run)):
            if value is not None:
                app.query_params[name] = str(value)
        return app.run()

    return go


def title(app: AppTest) -> str:
    return app.title[0].value


def told(lang: str, key: str) -> str:
    return i18n.catalogue(lang)[key]


@BOTH
@pytest.mark.parametrize("step", range(1, 7))
def test_every_screen_says_its_one_thing_in_few_words(visit: Visit, step: int, lang: str) -> None:
    """The page's own part; with the answers and the map's label the browser test counts them all."""
    app = visit(step, lang)
    assert not app.exception
    assert title(app) == told(lang, f"story.title.{STEPS[step - 1]}")
    parts = [element.value for element in app.get("html") if re.match("<(p|ul|ol) class=.dz-", element.value)]
    assert parts
    said = re.sub(r'<span class="dz-note".*?</span>', "", " ".join(parts))
    said = " ".join([title(app), re.sub(r"<[^>]+>", " ", said), *(button.label for button in app.button)])
    assert told(lang, "story.next") in said
    most = {"en": 60, "ja": 120} if STEPS[step - 1] != "next" else {"en": 90, "ja": 230}  # the last is taken away
    assert (len(said.split()) if lang == "en" else len("".join(said.split()))) <= most[lang]


@pytest.mark.parametrize("step", ["0", "7", "x", "", "-1", "１"])
def test_a_screen_that_is_not_there_is_the_first(visit: Visit, step: str) -> None:
    app = visit(step)
    assert not app.exception
    assert title(app) == told("en", "story.title.read")


def test_next_and_back_go_through_all_screens(visit: Visit) -> None:
    app = visit()
    assert app.button(key="story_back").disabled
    for step in range(2, 7):
        app.button(key="story_next").click().run()
        assert title(app) == told("en", f"story.title.{STEPS[step - 1]}")
        assert app.query_params["step"] == str(step)
    assert app.button(key="story_next").disabled
    app.button(key="story_back").click().run()
    assert title(app) == told("en", "story.title.cured")


def test_an_old_address_of_a_run_leads_to_that_run(visit: Visit) -> None:
    app = visit(run=victims.DEFAULT)
    assert not app.exception
    assert told("en", "status.recording") in words(app)
    assert not [button for button in app.button if button.key == "story_next"]


def test_purify_starts_a_run_of_the_default_victim(visit: Visit, asked: Asked) -> None:
    app = visit(4)
    app.button(key="story_start").click().run()
    assert not app.exception
    assert asked() == [Spec(victim=victims.DEFAULT, images="signs", clean_budget=0.05)]
    assert app.query_params["run"] == record.list_runs(recordings=False)[0].id
    assert told("en", "lead.queued") in words(app)
    assert not [button for button in app.button if button.key == "story_start"]


@BOTH
def test_a_refused_start_says_why(visit: Visit, lang: str) -> None:
    paths.runs_folder().write_text("a file in the place of the folder")
    app = visit(4, lang)
    app.button(key="story_start").click().run()
    assert told(lang, "error.folder_not_writable").split("{")[0] in app.error[0].value


def test_the_recorded_run_can_be_played_instead(visit: Visit) -> None:
    app = visit(4)
    app.button(key="story_replay").click().run()
    assert not app.exception
    result = record.open(str(paths.RECORDINGS / victims.DEFAULT)).data["result"]
    assert f"{result['asr_after']:.1f}\u00a0%" in words(app)
    app.button(key="story_next").click().run()
    assert glossary.plain(told("en", "story.text.cured_recorded")) in words(app)
    app.button(key="story_next").click().run()
    assert f"{result['ba_after']:.1f}\u00a0%" in words(app)
    assert str(result["clean_images"]) in words(app)


@BOTH
def test_a_failed_run_says_why_and_offers_both_ways_on(visit: Visit, lang: str) -> None:
    run = record.create(Spec(victim=victims.DEFAULT, images="signs"))
    facts = {"count": 5, "classes": 12}
    run.update(status="failed", failure={"code": "budget_too_small", "message": "English only", "facts": facts})
    app = visit(4, lang, run=run.id)
    assert not app.exception
    assert told(lang, "error.budget_too_small").format(**facts) in words(app)
    assert told(lang, "story.text.ended") in words(app)
    assert {"story_start", "story_replay"} <= {button.key for button in app.button}


@pytest.mark.parametrize("run", ["gone", "../../etc", "digits-badnets"])
def test_a_run_that_is_not_of_this_story_is_not_shown(visit: Visit, run: str) -> None:
    app = visit(4, run=run)
    assert not app.exception
    assert title(app) == told("en", "story.title.purify")
    assert "600" in words(app)


def test_the_story_ends_at_a_model_of_ones_own(visit: Visit) -> None:
    app = visit(6)
    app.button(key="story_own").click().run()
    assert not app.exception
    assert title(app) == told("en", "examine.title")


def test_a_recording_can_be_asked_for_again(visit: Visit) -> None:
    app = visit(4)
    for times in (1, 2):
        app.button(key="story_replay").click().run()
        assert app.session_state[live.TURN] == times


def test_details_lead_to_the_run(visit: Visit) -> None:
    app = visit(6)
    app.button(key="story_details").click().run()
    assert not app.exception
    assert told("en", "status.recording") in words(app)


def ship_with_grade(shipped: Path, cure: str | None) -> dict[str, Any]:
    """Ships the default victim and its recording, with another grade of the cure; gives the recording's result."""
    for file in VICTIMS.glob(f"{victims.DEFAULT}.*"):
        (shipped / "victims" / file.name).symlink_to(file)
    real, folder = Run(RECORDINGS / victims.DEFAULT), shipped / "recordings" / victims.DEFAULT
    folder.mkdir()
    for entry in real.folder.iterdir():
        if entry.name != "events.jsonl":
            (folder / entry.name).symlink_to(entry)
    graded = ("cure", "cure_reasons", "proof")
    grade = {"cure": cure, "cure_reasons": [], "proof": {}} if cure else {}
    with EventWriter(folder / "events.jsonl") as log:
        for moment, event in real.events():
            if isinstance(event, Finished):
                older = {name: told for name, told in event.result.items() if name not in graded}
                log.append(moment, Finished(older | grade))
            elif not isinstance(event, Verified):
                log.append(moment, event)
    return real.snapshot().result


@BOTH
@pytest.mark.parametrize("cure", ["holds", "doubt", "failed", None])
def test_the_last_screen_claims_no_cure_without_its_grade(
    visit: Visit, shipped: Path, cure: str | None, lang: str
) -> None:
    result = ship_with_grade(shipped, cure)
    app = visit(6, lang)
    assert not app.exception
    said = re.sub(r'<span class="dz-note".*?</span>|<[^>]+>', "", words(app))
    told_ = {state: glossary.plain(told(lang, f"story.cure.{state}")) for state in ("holds", "doubt", "failed", "old")}
    assert [state for state, sentence in told_.items() if sentence in said] == [cure or "old"]
    assert f"{result['asr_after']:.1f}" in said  # the true rate, which every recording has


def test_without_the_victim_the_page_says_so(visit: Visit, shipped: Path) -> None:
    app = visit()
    assert not app.exception
    assert app.info[0].value == told("en", "story.missing")
