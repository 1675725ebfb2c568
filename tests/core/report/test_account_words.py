from __future__ import annotations

from dataclasses import replace

import pytest

from core.report import wording
from core.report.account import Given, account
from core.report.account_words import checklist, estimate, money, phrases, risk
from core.runs.spec import Spec
from tests.core.report.conftest import Make, story
from tests.core.report.test_account import PRICES, STEP

BOTH = pytest.mark.parametrize("language", ["en", "ja"])


@BOTH
def test_phrases_and_checklist_are_tied_to_the_figures(make_run: Make, language: str) -> None:
    say = wording(make_run(), language)
    made = account(say.facts, PRICES, STEP)
    said = "\n".join(phrases(made, PRICES, say))
    for figure in ("600", "12,000", "€230", "€3,601", "1,000", "18"):
        assert figure in said
    assert [check.done for check in checklist(made, say)] == [True, True, True, True]
    listed = "\n".join(check.text for check in checklist(made, say))
    for figure in ("97.3", "98.9", "600", "96.9"):
        assert figure in listed
    told = estimate(made, PRICES, STEP, say)
    for figure in ("90", "128", "9,300", "100", "Test CPU"):
        assert figure in told
    assert "9" in risk(made, say)[0]


@BOTH
@pytest.mark.parametrize("cure", ["holds", "doubt", "failed", None])
def test_a_cure_that_does_not_hold_is_never_offered_as_done(make_run: Make, language: str, cure: str | None) -> None:
    say = wording(make_run(story(cure=cure)), language)
    made = account(say.facts, Given())
    assert checklist(made, say)[1].done == (cure == "holds")
    last = phrases(made, Given(), say)[-1]
    assert ("18" in last) == (cure == "holds")


@BOTH
def test_what_is_known_of_a_reconstructed_trigger_alone_is_not_said_of_the_real_one(
    make_run: Make, language: str
) -> None:
    spec = Spec(weights="/models/own.pt", images="signs")
    said = {}
    for kind in ("true", "estimated"):
        say = wording(make_run(story(kind=kind), spec if kind == "estimated" else None, name=kind), language)
        said[kind] = phrases(account(say.facts, Given()), Given(), say)[-1]
    unknown = {"en": "real trigger is not known", "ja": "本物のトリガーは不明"}[language]
    assert unknown in said["estimated"]
    assert "1,000" in said["estimated"]
    assert unknown not in said["true"]


@BOTH
def test_what_is_open_is_said_as_open(make_run: Make, language: str) -> None:
    say = wording(make_run(story(asr=(98.9, None))), language)
    made = account(replace(say.facts, seconds={}), Given())
    assert [check.done for check in checklist(made, say)] == [True, False, False, False]
    assert phrases(made, Given(), say) == []
    assert len(risk(made, say)) == 1
    assert estimate(made, Given(), None, say) == say.words("account.step_none")


def test_another_machine_is_named(make_run: Make) -> None:
    say = wording(make_run(), "en")
    made = account(say.facts, Given(), STEP)
    assert "another machine" not in estimate(made, Given(), STEP, say)
    assert "another machine (Test CPU)" in estimate(made, Given(), replace(STEP, machine="Other"), say)


def test_amounts() -> None:
    euro = Given(currency="€")
    assert [money(amount, euro) for amount in (None, 0.5, 99.999, 1234.5, -3000.0)] == [
        "–", "€0.50", "€100.00", "€1,234", "−€3,000",
    ]  # fmt: skip
