"""The grade of a cure on the pages of a lab run, in the list of runs, and in the comparison."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from core.events import Event, Finished, Measured, Progress, StageStarted, Verified
from core.jobs.process import identity
from core.report.proof import Proof
from core.runs.record import Run
from dashboard.components.proof import ICONS, tried
from dashboard.i18n import catalogue
from tests.dashboard.conftest import story, words
from tests.dashboard.examinations import PROOF, graded
from tests.dashboard.test_compare_data import order

Open = Callable[..., AppTest]
Make = Callable[..., Run]
BOTH = pytest.mark.parametrize("lang", ["en", "ja"])
CASES: dict[str | None, tuple[str, ...]] = {"holds": (), "doubt": ("images",), "failed": ("true",), None: ()}


def ended(cure: str | None, *reasons: str, **result: Any) -> list[Event]:
    return [*story()[:-1], Finished({"ba_held": True} | graded(cure, *reasons) | result)]


@BOTH
@pytest.mark.parametrize("cure", CASES)
def test_a_purified_model_is_never_shown_without_its_grade(
    open_page: Open, make_run: Make, cure: str | None, lang: str
) -> None:
    run = make_run("one", "done", ended(cure, *CASES[cure]), result={"ba_held": True} | graded(cure, *CASES[cure]))
    (run.folder / "model.safetensors").write_bytes(b"x")
    app = open_page("purify", lang, run="one")
    assert not app.exception
    state, said, sentence = cure or "old", words(app), catalogue(lang)
    assert said.count(f"{ICONS[state]} **{sentence[f'cure.{state}']}**") == 2
    assert f"**{sentence['cure.holds']}**" in said or cure != "holds"
    assert sentence[f"cure.next.{'images' if cure == 'doubt' else state}"] in said
    offered = [button.proto.label for button in app.get("download_button")]
    assert (sentence["act.download"] in offered) is (cure != "failed")
    assert (sentence["report.choice.purified"] in said) is (cure == "holds")


def test_the_signs_of_the_grades_differ() -> None:
    assert len({re.sub(r":\w+\[", "", icon) for icon in ICONS.values()}) == len(ICONS)


def test_between_proof_and_last_figures_nothing_is_claimed(open_page: Open, make_run: Make) -> None:
    told = [*story(whole=False), StageStarted("verify"), Progress("verify", 1, 4, 65.0)]
    make_run("one", "running", [*told, Verified("holds", [], 1.0, 0.2, 100)], worker=identity())
    said = words(open_page("purify", run="one"))
    assert catalogue("en")["phase.verify_help"] in said
    assert "1:05" in said
    assert catalogue("en")["cure.holds"] not in said


def test_the_event_serves_until_the_result_is_there(open_page: Open, make_run: Make) -> None:
    after = Measured("after", 96.9, 96.8, 1.3, "true", 3000, 2750)
    make_run("one", "stopped", [*story(whole=False), Verified("doubt", ["images"], 1.0, 0.2, 100), after])
    assert catalogue("en")["cure.doubt.text"] in words(open_page("purify", run="one"))


@BOTH
def test_the_list_of_runs_names_each_grade(open_page: Open, make_run: Make, lang: str) -> None:
    for cure, reasons in CASES.items():
        make_run(str(cure), "done", ended(cure, *reasons))
    make_run("scan", "stopped", story(whole=False))
    said = words(open_page("runs", lang))
    name = catalogue(lang)["cure.name"]
    for state in ("holds", "doubt", "failed", "old"):
        assert said.count(f"<span>{name}</span>{catalogue(lang)[f'cure.short.{state}']}<") == 1


@BOTH
def test_the_comparison_names_each_grade(open_page: Open, make_run: Make, lang: str) -> None:
    for method, cure in (("mcl", "holds"), ("ft", "doubt"), ("fp", "failed"), ("nad", None)):
        make_run(f"signs-badnets-{method}", "done", ended(cure), recording=True, spec=order(method))
    said, sentence = words(open_page("compare", lang)), catalogue(lang)
    for state in ("holds", "doubt", "failed", "old"):
        assert said.count(f'<td class="cure">{sentence[f"cure.short.{state}"]}</td>') == 1
    assert sentence["compare.not_cured"] in said
    assert sentence["compare.cured"].split("{")[0] in said


def test_without_grades_the_comparison_says_nothing_of_cures(open_page: Open, make_run: Make) -> None:
    for method in ("mcl", "ft"):
        make_run(f"signs-badnets-{method}", "done", ended(None), recording=True, spec=order(method))
    said = words(open_page("compare"))
    assert "The cure holds" not in said


def test_the_way_back_is_a_picture_of_its_own() -> None:
    shown = tried(Proof("holds", (), PROOF), ["a", "b"])
    found = re.search(r'src="data:image/svg\+xml;base64,([^"]+)"', shown)
    assert found is not None
    picture = base64.b64decode(found[1]).decode()
    assert picture.startswith('<svg xmlns="http://www.w3.org/2000/svg"')
    assert picture.count("<circle") == 3
    assert tried(Proof("holds"), []) == ""
