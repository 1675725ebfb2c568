"""Which of several purifications counts, and what the record keeps of one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from core.engine.proven import Proven, Purified, last_held
from core.events import Cure, Measured, Verified

MODEL: Any = object()


def proven(cure: Cure = "holds", held: bool = True, scan: dict[str, Any] | None = None) -> Proven:
    after = Measured("after", 97.0, 96.5, 1.5, "estimated", 600, 540)
    evidence = {"fresh": {"asr": 1.5, "before": 99.0}} | ({"scan": scan} if scan else {})
    return Proven(3, 70, "beside", Purified(MODEL, after, held), Verified(cure, ["scan"], 1.5, 0.2, 250, evidence))


@pytest.mark.parametrize(
    ("first", "second", "kept"),
    [
        (("doubt", True), ("holds", True), 1),
        (("doubt", True), ("failed", True), 1),
        (("doubt", True), ("holds", False), 0),
        (("failed", False), ("holds", False), 0),
    ],
)
def test_the_last_one_counts_that_held_accuracy_whatever_its_grade(
    first: tuple[Cure, bool], second: tuple[Cure, bool], kept: int
) -> None:
    found = [proven(*first), proven(*second)]
    assert last_held(found) is found[kept]


@pytest.mark.parametrize(
    ("scan", "second"),
    [
        (None, None),
        ({"verdict": "strong", "target": 5}, None),
        ({"verdict": "some", "target": 5, "second": True}, 5),
        ({"verdict": "strong", "target": 0, "second": True}, 0),
    ],
)
def test_the_second_class_is_the_one_that_had_not_stood_out(scan: dict[str, Any] | None, second: int | None) -> None:
    assert proven(scan=scan).second == second


def test_a_record_survives_json_and_comes_back_with_its_model() -> None:
    made = proven("doubt", scan={"verdict": "strong", "target": 5, "second": True})
    data = json.loads(json.dumps(made.to_record()))
    assert Proven.from_record(data, MODEL, None) == made
    assert made.figures(kept=True) == {
        "target": 3, "steps": 70, "stamps": "beside", "cure": "doubt", "cure_reasons": ["scan"], "ba_after": 97.0,
        "asr_after": 1.5, "ba_held": True, "second": 5, "kept": True,
    }  # fmt: skip
