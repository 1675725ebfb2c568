"""The second sheet: what was given and measured is on it, and what is open reads as open."""

from __future__ import annotations

import pytest

from core import report
from core.report.account import file_of, keep
from core.report.account_sheet import account_sheet
from core.report.account_words import Check
from core.words import LANGUAGES
from tests.core.report.conftest import Make, story
from tests.core.report.test_account import PRICES, STEP

BOTH = pytest.mark.parametrize("language", LANGUAGES)


@BOTH
def test_both_ways_stand_side_by_side_with_what_follows_for_the_meeting(make_run: Make, language: str) -> None:
    run = make_run()
    keep(run, PRICES, STEP)
    made = str(account_sheet(run, report.wording(run, language)))
    for figure in ("600", "12,000", "€230", "€3,601", "Test CPU", "96.9"):
        assert figure in made
    assert made.count('<li class="done">') == 4
    assert made in report.html(run, language)


@BOTH
def test_without_rates_and_a_measured_step_nothing_is_made_up(make_run: Make, language: str) -> None:
    run = make_run()
    say = report.wording(run, language)
    made = str(account_sheet(run, say))
    assert made.count("<b>–</b>") == 5, "money of both ways; time, images and hours of a training anew"
    assert say.words("account.step_none") in made
    assert made.count('<li class="done">') == 3


def test_what_is_done_in_use_is_told_by_others(make_run: Make) -> None:
    run = make_run()
    used = [Check(True, "Roll-out <done>."), Check(False, "Watch.")]
    made = report.html(run, used=used)
    assert '<li class="done">Roll-out &lt;done&gt;.</li><li>Watch.</li>' in made


def test_a_run_that_purified_nothing_has_one_sheet(make_run: Make) -> None:
    run = make_run(story(asr=(98.9, None)))
    assert account_sheet(run, report.wording(run)) is None


@BOTH
def test_an_account_that_cannot_be_read_costs_its_sheet_and_not_the_report(make_run: Make, language: str) -> None:
    run = make_run()
    whole = report.html(run, language)
    file_of(run).write_bytes(b"{")
    made = report.html(run, language)
    say = report.wording(run, language)
    assert say("account.unreadable", path=file_of(run)) in made
    assert say("account.risk") in whole
    assert say("account.risk") not in made
    assert made.split("<main>")[1][:2000] == whole.split("<main>")[1][:2000]
