"""Grades from figures; the grades of real models are in the benchmark of strangers' models."""

from __future__ import annotations

import pytest
import torch

from core.scan.inversion import Inverted
from core.scan.scan import Scan
from core.scan.thresholds import HINT, SOME, STRONG
from core.scan.verdict import judge, other_suspects


def scan_of(suspicion: float, gap: float, side: int = 32, early: list[float] | None = None) -> Scan:
    """A scan of one form whose target has just these figures, and a trigger of 10 pixels."""
    sizes = torch.tensor([10.0, 10.0 * gap, 10.0 * gap, 10.0 * gap])
    form = Inverted(
        "mask", torch.ones(4, 1, side, side), torch.zeros(4, 3, side, side), sizes, torch.ones(4),
        None if early is None else torch.tensor(early),
    )  # fmt: skip
    return Scan((form,), torch.tensor([suspicion, 0.0, 0.0, 0.0]), 0)


@pytest.mark.parametrize(
    ("suspicion", "gap", "grade"),
    [
        (STRONG[0], STRONG[1] + 0.01, "strong"),
        (STRONG[0] - 0.1, STRONG[1] + 0.5, "some"),
        (STRONG[0] + 1, STRONG[1] - 0.1, "some"),
        (SOME[0] - 0.1, 2.9, "none"),
        (SOME[0] - 0.1, 3.0, "strong"),
        (9.0, SOME[1] - 0.1, "none"),
    ],
)
def test_both_figures_have_to_speak(suspicion: float, gap: float, grade: str) -> None:
    assert judge(scan_of(suspicion, gap)).grade == grade


def test_a_large_trigger_alone_settles_nothing() -> None:
    assert judge(scan_of(SOME[0] - 0.1, 3.0, side=9)).grade == "none"
    assert judge(scan_of(STRONG[0], 3.0, side=9)).grade == "strong", "beside the other figures it still counts"


@pytest.mark.parametrize(
    ("suspicion", "gap", "hint"),
    [(*HINT, True), (HINT[0] - 0.1, 2.9, False), (9.0, HINT[1] - 0.1, False), (*SOME, True), (*STRONG, True)],
)
def test_a_purification_goes_by_less_than_a_sign(suspicion: float, gap: float, hint: bool) -> None:
    verdict = judge(scan_of(suspicion, gap + 0.001))
    assert verdict.hint == hint
    assert hint or verdict.grade == "none"


def test_who_is_reached_long_before_the_others_shows_as_much_as_who_needs_a_small_trigger() -> None:
    alike, soon = [2.0, 2.1, 2.2, 2.3], [0.2, 2.1, 2.2, 2.3]
    for early, grade in ((None, "none"), (alike, "none"), (soon, "strong")):
        verdict = judge(scan_of(STRONG[0], 1.0, early=early))
        assert verdict.grade == grade
        assert not verdict.sure, "it is by its size that a trigger is known to be reconstructed well"
    assert judge(scan_of(STRONG[0], 1.0, early=soon)).facts["sooner"] == pytest.approx(8.0)
    assert judge(scan_of(STRONG[0] + 3, 2.0, early=soon)).sure


def test_the_facts_are_plain_numbers_that_json_can_hold() -> None:
    import json

    facts = judge(scan_of(4.0, 2.5)).facts
    assert json.loads(json.dumps(facts)) == facts
    assert facts["gap"] == 2.5


def test_few_classes_give_no_strong_signs() -> None:
    sizes = torch.tensor([5.0, 50.0, 50.0])
    form = Inverted("mask", torch.ones(3, 1, 9, 9), torch.zeros(3, 3, 9, 9), sizes, torch.ones(3))
    assert judge(Scan((form,), torch.tensor([9.0, 0.0, 0.0]), 0)).grade == "some"


def test_other_classes_that_stand_out_are_suspects_the_most_suspicious_first() -> None:
    octaves = [SOME[0], 0.3, 20.0, SOME[0] - 0.01, 4.7]
    assert other_suspects(octaves, "strong", 2, target=2) == [4, 0]
    assert other_suspects(octaves, "strong", 2, target=1) == [2, 4, 0], "another class was to be cured"
    assert other_suspects([2.1, 0.0, 0.1, 0.2], "strong", 0, target=3) == [0], "a decisive form ends the scan early"
    assert other_suspects([2.1, 0.0, 0.1, 0.2], "none", 0, target=3) == []
    assert other_suspects([9.0, 9.0, 9.0], "some", 0, target=0) == [], "nothing to compare three classes with"
    assert other_suspects([], "strong", 0, target=1) == [], "a record of an older version"
