"""The page for a stranger's model: where it starts and leads to, what came of a run, and the next step."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
from streamlit.testing.v1 import AppTest

from core.events import Answered, Progress, Rescan, Searched, StageStarted
from core.intake import uploads
from core.jobs.process import identity
from dashboard.i18n import catalogue
from tests.dashboard.conftest import Asked, words
from tests.dashboard.examinations import NO_FIT, Make, Open, checked, events, examined, graded, keys, result_in

BOTH = pytest.mark.parametrize("lang", ["en", "ja"])

TWO_PAGES = """
import streamlit as st
from dashboard.components import frame
from dashboard.views import examine, purify
frame.dress()
pages = {
    "examine": st.Page(examine.page, title="examine", url_path="examine", default=True),
    "purify": st.Page(purify.page, title="purify", url_path="purify"),
}
frame.PAGES.update(pages)
st.navigation(list(pages.values())).run()
"""


def downloads(app: AppTest) -> list[str]:
    return [button.proto.label for button in app.get("download_button")]


@BOTH
def test_the_first_visit_says_what_to_give(home: Path, open_page: Open, lang: str) -> None:
    app = open_page("examine", lang)
    assert not app.exception
    assert app.title[0].value == catalogue(lang)["examine.title"]
    assert app.button(key="look").disabled
    assert "example" in keys(app)


def test_halves_that_an_earlier_server_left_go_with_the_first_visit(home: Path, open_page: Open) -> None:
    half = home / "uploads" / ".0123456789ab"
    half.mkdir(parents=True)
    os.utime(half, (1e9, 1e9))
    assert not open_page("examine").exception
    assert not half.exists()


def test_what_is_gone_leads_to_the_start(home: Path, open_page: Open) -> None:
    app = open_page("examine", run="../../etc")
    assert not app.exception
    assert "../../etc" in app.info[0].value
    assert "look" in keys(app)


def test_no_page_names_a_class_that_would_be_executed() -> None:
    pages = Path(__file__).resolve().parents[2] / "dashboard"
    assert not [file for file in pages.rglob("*.py") if "model_class=" in file.read_text(encoding="utf-8")]


@BOTH
def test_a_refused_start_says_why(
    home: Path, open_page: Open, look: Callable[..., str], weights: Path, lang: str
) -> None:
    look(result=result_in(weights.parent))
    (home / "runs").write_text("a file in the place of the folder")
    app = checked(open_page, lang)
    app.button(key="start-examination").click().run()
    assert not app.exception
    assert catalogue(lang)["error.folder_not_writable"].split("{")[0] in app.error[0].value


# what came of it


@BOTH
@pytest.mark.parametrize("verdict", ["strong", "some", "none"])
def test_the_verdict_comes_with_what_the_scan_cannot_see(
    open_page: Open, make_run: Make, weights: Path, verdict: str, lang: str
) -> None:
    examined(make_run, weights, events(verdict))
    app = open_page("examine", lang, run="mine")
    assert not app.exception
    said = words(app)
    assert catalogue(lang)[f"verdict.{verdict}"] in said
    assert catalogue(lang)["limits.hidden"] in said
    assert catalogue(lang)["outcome.estimated_note"] in said
    assert catalogue(lang)["outcome.asr_true"] not in said
    assert app.title[0].value == "net v2.pth"


@BOTH
def test_without_a_sign_the_smallest_change_is_not_called_an_attack(
    open_page: Open, make_run: Make, weights: Path, lang: str
) -> None:
    examined(make_run, weights, events("none"))
    app = open_page("examine", lang, run="mine")
    assert not app.exception
    assert {"en": "every network has such a change", "ja": "こうした変更はどのモデルにもあります"}[lang] in words(app)


@BOTH
@pytest.mark.parametrize(("given", "told"), [(2, True), (1, False)])
def test_a_target_that_was_given_is_told_from_the_one_found(
    open_page: Open, make_run: Make, weights: Path, given: int, told: bool, lang: str
) -> None:
    """The verdict is of class 1, which the scan points to; nothing was done against it if another one was given."""
    examined(make_run, weights, events(target=given), target=given)
    app = open_page("examine", lang, run="mine")
    assert not app.exception
    assert ({"en": "Nothing was done against", "ja": "への対策は行っていません"}[lang] in words(app)) is told


def test_the_purified_model_can_be_taken_away(open_page: Open, make_run: Make, weights: Path) -> None:
    run = examined(make_run, weights, events())
    for name in ("model.safetensors", "model.pt", "card.json"):
        (run.folder / name).write_bytes(b"x")
    offered = downloads(open_page("examine", run="mine"))
    assert {"model.safetensors", "model.pt", "card.json", catalogue("en")["report.do.html"]} <= set(offered)
    assert offered.count(catalogue("en")["report.do.html"]) == 1


@BOTH
def test_where_accuracy_was_not_held_there_is_nothing_to_take(
    open_page: Open, make_run: Make, weights: Path, lang: str
) -> None:
    examined(make_run, weights, events(after=80.0, ba_held=False))
    app = open_page("examine", lang, run="mine")
    assert not [name for name in downloads(app) if "model" in name or "card" in name]
    assert catalogue(lang)["outcome.not_held"] in words(app)


TONES = {"holds": "good", "doubt": "wait", "failed": "bad"}
CASES = {"holds": (), "doubt": ("path",), "failed": ("fresh", "scan")}


@BOTH
@pytest.mark.parametrize("cure", CASES)
def test_each_grade_of_a_cure_has_its_state(
    open_page: Open, make_run: Make, weights: Path, cure: str, lang: str
) -> None:
    run = examined(make_run, weights, events(**graded(cure, *CASES[cure])))
    for name in ("model.safetensors", "model.pt", "card.json"):
        (run.folder / name).write_bytes(b"x")
    app = open_page("examine", lang, run="mine")
    assert not app.exception
    said, sentence = words(app), catalogue(lang)
    assert [state for state in ("holds", "doubt", "failed", "old") if f"**{sentence[f'cure.{state}']}**" in said] == [
        cure
    ]
    assert f"dz-answer {TONES[cure]}" in said
    assert sentence[f"cure.next.{cure}"] in said
    assert sentence["outcome.worst_note"] in said
    assert said.count('class="bad"') == len(CASES[cure])
    offered = [name for name in downloads(app) if name in ("model.safetensors", "model.pt", "card.json")]
    assert len(offered) == (0 if cure == "failed" else 3)  # what is not cured is kept back, should it lie there
    assert (sentence["take.doubt"] in said) is (cure == "doubt")
    assert (sentence["cure.out.failed"] in said) is (cure == "failed")


@BOTH
def test_what_is_accepted_though_not_cured_is_handed_out_with_a_warning(
    open_page: Open, make_run: Make, weights: Path, lang: str
) -> None:
    run = examined(make_run, weights, events(**graded("failed", "fresh")), accept="not-cured")
    (run.folder / "model.safetensors").write_bytes(b"x")
    app = open_page("examine", lang, run="mine")
    assert "model.safetensors" in downloads(app)
    for key in ("cure.out.accepted", "take.failed"):
        assert catalogue(lang)[key] in words(app)


@BOTH
def test_an_older_record_says_that_it_has_no_proof(open_page: Open, make_run: Make, weights: Path, lang: str) -> None:
    examined(make_run, weights, events())
    said = words(open_page("examine", lang, run="mine"))
    assert catalogue(lang)["cure.old.text"] in said
    assert catalogue(lang)["cure.holds"] not in said
    assert catalogue(lang)["report.choice.purified"] not in said
    assert catalogue(lang)["outcome.estimated_note"] in said


def test_a_class_of_a_strangers_own_name_makes_no_markup(open_page: Open, make_run: Make, weights: Path) -> None:
    run = examined(make_run, weights, events(**graded("doubt", "scan")))
    run.update(classes=["a", "<script>alert(1)</script>", "c"])
    app = open_page("examine", run="mine")
    shown = next(element.proto.body for element in app.get("html") if "dz-proof" in element.proto.body)
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown


@BOTH
@pytest.mark.parametrize("left", [None, 42.0])
def test_while_the_cure_is_tested_the_page_says_what_is_tried(
    open_page: Open, make_run: Make, weights: Path, lang: str, left: float | None
) -> None:
    told = [*events(after=None)[:-1], StageStarted("verify"), Progress("verify", 2, 8, left)]
    examined(make_run, weights, told, "running", worker=identity())
    said = words(open_page("examine", lang, run="mine"))
    assert catalogue(lang)["phase.verify_help"] in said
    assert ("0:42" in said) is (left is not None)
    assert catalogue(lang)["cure.old"] not in said  # nothing is known yet


# the next step


def test_a_scan_leads_to_a_purification(open_page: Open, make_run: Make, weights: Path, asked: Asked) -> None:
    run = examined(make_run, weights, events(after=None), scan_only=True)
    app = open_page("examine", run="mine")
    assert catalogue("en")["outcome.title_scan"] in words(app)
    assert catalogue("en")["outcome.waiting"] not in words(app)  # it has ended
    assert f"<b>{catalogue('en')['phase.purify']}</b>" not in words(app).split("dz-next")[0]  # its track
    app.button(key="purify").click().run()
    assert not app.exception
    assert asked()[0].to_dict() == run.spec.to_dict() | {"scan_only": False, "scan_of": "mine"}


@BOTH
def test_a_scan_of_other_weights_is_not_gone_on_with(
    open_page: Open, make_run: Make, weights: Path, asked: Asked, lang: str
) -> None:
    run = examined(make_run, weights, events(after=None), scan_only=True)
    run.update(inputs={"weights": "0" * 64})
    app = open_page("examine", lang, run="mine")
    app.button(key="purify").click().run()
    assert not app.exception
    assert {"en": "differ from those of this run", "ja": "この実行で使われたものと異なります"}[lang] in app.error[
        0
    ].value
    assert not asked()
    assert run.status == "done"


SEARCHED = Searched("pixel", 2, [99.0, 100.0, 41.2], [30.0, 4.5, None])


@BOTH
@pytest.mark.parametrize("found", [None, SEARCHED], ids=["begins", "goes on"])
def test_a_scan_at_work_shows_how_far_each_class_is_and_accuses_none(
    open_page: Open, make_run: Make, weights: Path, lang: str, found: Searched | None
) -> None:
    told = [Answered(91.3, 540), StageStarted("scan"), Progress("scan", 150, 360, 42.0), *([found] if found else [])]
    examined(make_run, weights, told, "running", worker=identity())
    app = open_page("examine", lang, run="mine")
    assert not app.exception
    said, sentence = words(app), catalogue(lang)
    percent = sentence["unit.percent"]
    assert sentence["search.reached"].format(done=2 if found else 0, count=3) in said
    assert sentence["search.left"].format(time="0:42") in said
    assert sentence["search.ba"].format(ba=percent.format(value="91.3")) in said
    assert (sentence["evidence.form.pixel"] in said) is (found is not None)
    assert (percent.format(value="41") in said) is (found is not None)
    assert ("4.5 px" in said) is (found is not None)
    assert sentence["evidence.suspect"] not in said
    assert sentence["state.first_frame"] not in said


@BOTH
@pytest.mark.parametrize("reason", ["unclear", "statistics"])
def test_a_scan_that_begins_anew_says_why(
    open_page: Open, make_run: Make, weights: Path, lang: str, reason: Literal["unclear", "statistics"]
) -> None:
    going = [StageStarted("scan"), Progress("scan", 300, 360, 9.0), Rescan(reason), Progress("scan", 150, 360, 70.0)]
    examined(make_run, weights, going, "running", worker=identity())
    said = words(open_page("examine", lang, run="mine"))
    assert catalogue(lang)[f"lead.rescan.{reason}"] in said
    assert "1:10" in said


def test_the_bars_make_way_for_the_verdict(open_page: Open, make_run: Make, weights: Path) -> None:
    examined(make_run, weights, [StageStarted("scan"), SEARCHED, *events()[2:3]], "running", worker=identity())
    assert '<section class="dz-search">' not in words(open_page("examine", run="mine"))


def test_correcting_starts_from_the_same_files(open_page: Open, make_run: Make, weights: Path, asked: Asked) -> None:
    examined(make_run, weights, events())
    app = open_page("examine", run="mine")
    app.button(key="correct").click().run()
    assert not app.exception
    (order,) = asked()
    assert (order.weights, order.images, order.arch) == (str(weights), "digits", "wrn16-1")


@pytest.mark.parametrize(
    ("status", "step"),
    [("stopped", "resume"), ("running", "resume"), ("failed", "retry")],
    ids=["stopped", "lost", "failed"],
)
def test_each_state_offers_its_next_step(
    open_page: Open, make_run: Make, weights: Path, status: str, step: str
) -> None:
    run = examined(make_run, weights, [], status)
    run.update(failure=NO_FIT if status == "failed" else None)
    app = open_page("examine", run="mine")
    assert not app.exception
    assert {step, "correct", "another"} <= keys(app)


def test_earlier_examinations_are_found_again(open_page: Open, make_run: Make, weights: Path) -> None:
    examined(make_run, weights, events())
    make_run("lab", "done")
    app = open_page("examine")
    assert catalogue("en")["verdict.short.strong"] in words(app)
    assert "open-lab" not in keys(app)
    app.button(key="open-mine").click().run()
    assert app.query_params["run"] == "mine"


def test_a_run_whose_upload_was_removed_says_so(open_page: Open, make_run: Make, home: Path) -> None:
    upload = uploads.keep("weights", "net.pth", io.BytesIO(b"weights"))
    examined(make_run, upload.file, events())
    assert not open_page("examine", run="mine").info
    uploads.remove(upload)
    assert catalogue("en")["examine.upload_gone"] in open_page("examine", run="mine").info[0].value


@BOTH
def test_a_run_of_a_shipped_victim_is_shown_on_its_own_page(make_run: Make, lang: str) -> None:
    """There is nothing of a stranger's in it to correct or to give again."""
    make_run("lab", "done")
    app = AppTest.from_string(TWO_PAGES, default_timeout=60)
    app.context = {"locale": "en-GB", "timezone": "UTC"}
    app.query_params["lang"], app.query_params["run"] = lang, "lab"
    app.run()
    assert not app.exception
    assert app.query_params["run"] == "lab"
    assert not {"correct", "another"} & keys(app)
    assert "BadNets" in app.title[0].value
    assert catalogue(lang)["outcome.estimated_note"] not in words(app)  # the attack is known, so the true rate is shown


def test_a_strangers_run_asked_for_on_the_purify_page_is_shown_here(
    open_page: Open, make_run: Make, weights: Path
) -> None:
    """Its figures are estimates, and a scan purified nothing: the sentences there would say otherwise."""
    examined(make_run, weights, events(after=None), scan_only=True)
    app = AppTest.from_string(TWO_PAGES.replace(", default=True", "").replace('"purify")', '"purify", default=True)'))
    app.default_timeout = 60
    app.context = {"locale": "en-GB", "timezone": "UTC"}
    app.query_params["lang"], app.query_params["run"] = "en", "mine"
    app.run()
    assert not app.exception
    assert app.query_params["run"] == "mine"
    assert {"purify", "correct", "another"} <= keys(app)
    assert catalogue("en")["lead.done_bare"] not in words(app)
