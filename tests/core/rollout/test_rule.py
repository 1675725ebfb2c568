from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from core.compute.intervals import confidence_sequence
from core.errors import BadInput
from core.rollout.rule import Rule, Tally, decide, next_stage

RULE = Rule(images=300, share=10.0, disagreement=5.0, ba_loss=2.0)
ENOUGH: dict[str, Any] = {"images": 400}


def keys(stage: Any, **counts: int) -> tuple[str, list[str]]:
    found = decide(stage, Tally(**counts), RULE)
    return found.move, [reason.key for reason in found.reasons]


@pytest.mark.parametrize("stage", ["shadow", "share"])
def test_it_goes_on_with_enough_images_little_disagreement_and_no_alarm(stage: str) -> None:
    assert keys(stage, images=400, differ=4) == ("on", ["agrees", "no_labels", "no_alarms"])


def test_it_stays_until_enough_images_have_been_seen() -> None:
    assert keys("shadow", images=299) == ("stay", ["few"])
    assert keys("shadow", images=300)[0] == "on"


def test_flagged_images_count_neither_as_seen_nor_as_disagreement() -> None:
    assert keys("shadow", images=310, flagged=11, averted=11) == ("stay", ["few"])
    assert keys("shadow", images=400, flagged=90, averted=90)[0] == "on"


def test_it_stays_while_the_interval_reaches_over_the_limit() -> None:
    """14 of 400 are 3.5 %, and the interval ends above 5 %; 50 of 2,000 are 2.5 %, and it ends below."""
    assert keys("shadow", images=400, differ=14) == ("stay", ["unsure"])
    assert keys("shadow", images=2000, differ=50)[0] == "on"


def test_it_goes_back_once_the_whole_interval_lies_above_the_limit() -> None:
    assert keys("share", images=400, differ=60) == ("back", ["disagreement"])
    assert keys("share", images=400, differ=30) == ("stay", ["unsure"]), "7.5 %, which may be chance"
    assert keys("share", images=20, differ=8)[0] == "back", "too few to go on, and yet too many that differ"
    assert keys("share", images=20, differ=2) == ("stay", ["few"])


def test_one_image_that_differs_at_once_sends_nothing_back() -> None:
    """Wilson's interval of 1 of 1 begins at 21 %."""
    for seen in (1, 2, 3):
        assert keys("shadow", images=seen, differ=1) == ("stay", ["few"])


def test_the_interval_is_of_the_images_not_flagged() -> None:
    assert Tally(images=450, flagged=50, differ=14).interval == confidence_sequence(14, 400)
    assert Tally(images=50, flagged=50).interval is None


def test_an_alarm_sends_it_back_from_every_stage() -> None:
    for stage in ("shadow", "share", "all"):
        assert keys(stage, images=400, flagged=3, alarms=1) == ("back", ["alarms"])


def test_a_loss_of_accuracy_beyond_chance_sends_it_back() -> None:
    """Of 100 labelled images 12 are lost and 1 gained: 11 points."""
    assert keys("share", images=400, differ=13, labelled=100, lost=12, gained=1) == ("back", ["accuracy"])


def test_a_loss_of_accuracy_that_may_be_chance_keeps_it() -> None:
    """3 of 100 lost and none gained: by chance alone, one in eight."""
    assert keys("share", images=400, differ=3, labelled=100, lost=3) == ("stay", ["accuracy_unsure"])


def test_accuracy_that_is_kept_is_a_reason_to_go_on() -> None:
    move, reasons = keys("share", images=400, differ=4, labelled=200, lost=2, gained=1)
    assert (move, reasons) == ("on", ["agrees", "accuracy_kept", "no_alarms"])


def test_an_alarm_that_the_rule_allows_is_not_told_as_none() -> None:
    found = decide("shadow", Tally(images=400, differ=4, alarms=1), replace(RULE, alarms=2))
    assert (found.move, [reason.key for reason in found.reasons]) == ("on", ["agrees", "no_labels"])


def test_several_reasons_against_are_all_named() -> None:
    assert keys("all", images=400, differ=60, flagged=5, alarms=2)[1] == ["alarms", "disagreement"]


def test_the_last_stage_has_no_next_one_and_off_decides_nothing() -> None:
    assert keys("all", images=400)[:1] == ("stay",)
    assert keys("all", images=400)[1][0] == "end"
    assert keys("off", images=400, differ=400) == ("stay", ["off"])
    assert [next_stage(stage, "on") for stage in ("off", "shadow", "share", "all")] == ["shadow", "share", "all", "all"]
    assert [next_stage(stage, "back") for stage in ("off", "shadow", "share", "all")] == [
        "off",
        "off",
        "shadow",
        "share",
    ]


@pytest.mark.parametrize(
    "wrong",
    [{"images": 0}, {"images": 2.5}, {"share": 101.0}, {"disagreement": math.nan}, {"ba_loss": -1.0}, {"alarms": True}],
)
def test_a_rule_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadInput) as fault:
        Rule(**wrong)
    assert fault.value.code == "bad_rollout_rule"
    assert next(iter(wrong)) in fault.value.message
