"""The account against figures worked out by hand; what is kept of it beside a run."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from scipy.stats import binomtest

from core import paths
from core.errors import BadInput
from core.report import gather
from core.report.account import Given, TrainingStep, account, file_of, keep, kept
from core.runs.spec import Spec
from tests.core.report.conftest import Make, story

STEP = TrainingStep(0.09, 36, 128, 12_000, "small", "cpu", "Test CPU", "2026-03-04T05:06:07+00:00")
PRICES = Given(
    machine_hour=3.6, image=0.05, engineer_hour=100.0, purify_hours=2.0, train_hours=30.0, currency="€", epochs=100
)


def test_time_images_and_money_of_both_ways(make_run: Make) -> None:
    """65 s and 600 images against 100 epochs of 93 whole batches of 128 at 0.09 s, 837 s."""
    made = account(gather(make_run()), PRICES, STEP)
    assert made.purified is not None
    assert made.anew is not None
    assert (made.purified.seconds, made.purified.images, made.steps) == (65.0, 600, 9300)
    assert made.purified.money == pytest.approx(65 / 1000 + 30 + 200)
    assert made.anew.seconds == pytest.approx(837.0)
    assert (made.anew.images, made.anew.hours) == (12_000, 30.0)
    assert made.anew.money == pytest.approx(0.837 + 600 + 3000)
    assert made.times == pytest.approx(837 / 65)
    assert made.saved == pytest.approx(3600.837 - 230.065)


def test_a_training_set_of_another_size_is_reckoned_with(make_run: Make) -> None:
    made = account(gather(make_run()), replace(PRICES, training_images=1280, epochs=10), STEP)
    assert made.anew is not None
    assert (made.steps, made.anew.images) == (100, 1280)
    assert made.anew.seconds == pytest.approx(9.0)
    tiny = account(gather(make_run(name="two")), replace(PRICES, training_images=50, epochs=10), STEP)
    assert tiny.steps == 10, "less than a batch is still a step"


def test_passes_are_those_of_the_victim_s_own_training_where_they_are_known(make_run: Make) -> None:
    facts = gather(make_run())
    assert facts.card is not None
    assert account(facts, Given(), STEP).epochs == 100, "the card says nothing"
    known = replace(facts, card=replace(facts.card, training={"epochs": 12}))
    made = account(known, Given(), STEP)
    assert (made.epochs, made.steps) == (12, 12 * 93)
    assert account(known, Given(epochs=3), STEP).epochs == 3


def test_nothing_is_made_up(make_run: Make) -> None:
    """Without rates no money, without a measured step no training anew, without times no purification."""
    facts = gather(make_run())
    bare = account(facts, Given())
    assert bare.purified is not None
    assert (bare.purified.money, bare.anew, bare.steps, bare.times, bare.saved) == (None, None, None, None, None)
    unknown = account(replace(facts, clean_images=None), PRICES, STEP)
    assert unknown.purified is not None
    assert unknown.purified.money is None, "how many images were labelled is not on record"
    assert account(replace(facts, seconds={}), PRICES, STEP).purified is None


def test_the_risk_is_that_of_the_verdict(make_run: Make) -> None:
    """1.3 % of 2,750 images; the interval by scipy."""
    left = account(gather(make_run()), Given()).risk
    assert left is not None
    expected = binomtest(round(0.013 * 2750), 2750).proportion_ci(method="wilson")
    assert left.interval == pytest.approx((100 * expected.low, 100 * expected.high), abs=0.02)
    assert (left.kind, left.cure, left.asr_before, left.asr) == ("true", "holds", 98.9, 1.3)
    assert left.fooled == (9, 18)
    scan = make_run(story(asr=(98.9, None)), Spec(victim="signs-badnets", images="signs", scan_only=True), name="scan")
    assert account(gather(scan), Given()).risk is None


def test_what_was_given_and_measured_is_kept(make_run: Make) -> None:
    run = make_run()
    assert kept(run) == (Given(), None)
    keep(run, PRICES, STEP)
    assert kept(run) == (PRICES, STEP)
    keep(run, PRICES, None)
    assert kept(run) == (PRICES, None)
    recording = make_run(name="shipped", recording=True)
    assert file_of(recording).is_relative_to(paths.home()), "it stays as it is"


@pytest.mark.parametrize(
    "damage",
    [
        b"{",
        b"[]",
        b'{"format": 9}',
        json.dumps({"format": 1, "given": {"wage": 3}, "step": None}).encode(),
        json.dumps({"format": 1, "given": {}, "step": {"seconds": -1, "timed": 1, "batch": 1, "images": 1}}).encode(),
        json.dumps({"format": 1, "given": {}, "step": {"seconds": 1}}).encode(),
    ],
)
def test_a_damaged_account_is_said_in_a_sentence(make_run: Make, damage: bytes) -> None:
    run = make_run()
    file_of(run).write_bytes(damage)
    with pytest.raises(BadInput) as fault:
        kept(run)
    assert fault.value.code == "account_unreadable"


@pytest.mark.parametrize(
    "wrong",
    [{"machine_hour": -1.0}, {"image": float("nan")}, {"epochs": 0}, {"epochs": 1.5}, {"training_images": 0}],
)
def test_figures_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadInput) as fault:
        Given(**wrong)
    assert fault.value.code == "bad_account_figure"
