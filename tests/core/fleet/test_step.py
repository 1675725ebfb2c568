"""What to do next with a model, and what that takes by measured seconds."""

from __future__ import annotations

import json
from statistics import median
from typing import Any, get_args

import pytest

from core import paths
from core.fleet.step import PURIFY_PER_SCAN, Step, per_scan, seconds, step


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ({}, "wait"),
        ({"error": True}, "mend"),
        ({"verdict": "strong"}, "purify"),
        ({"verdict": "some"}, "purify"),
        ({"verdict": "some", "cure_error": True}, "again"),
        ({"verdict": "none"}, "watch"),
        ({"verdict": "none", "caution": True}, "caution"),
        ({"verdict": "strong", "cure": "holds"}, "rollout"),
        ({"verdict": "strong", "cure": "doubt"}, "review"),
        ({"verdict": "strong", "cure": "failed"}, "retrain"),
    ],
)
def test_the_next_step_follows_from_what_is_known(known: dict[str, Any], expected: str) -> None:
    assert step(**({"verdict": None, "cure": None, "error": False} | known)) == expected
    assert expected in get_args(Step)


def test_a_purification_costs_as_measured() -> None:
    spent = {"load": 2.0, "measure": 0.5, "scan": 10.0}
    assert seconds("purify", spent, 4.0) == 2 + 4 * 10
    assert seconds("watch", spent, 4.0) == 12.5
    assert seconds("rollout", spent, 4.0) is None
    assert seconds("purify", {}, 4.0) is None


def test_the_pace_is_that_of_the_fleet_once_something_was_purified() -> None:
    assert per_scan([]) == PURIFY_PER_SCAN
    assert per_scan([(10.0, 20.0), (1.0, 3.0), (2.0, 80.0), (0.0, 5.0)]) == 3


def test_before_that_it_is_that_of_the_shipped_recordings() -> None:
    ratios = []
    for file in paths.RECORDINGS.glob("*/run.json"):
        data = json.loads(file.read_bytes())
        if data["spec"]["defence"] == "mcl":
            spent = data["result"]["seconds"]
            ratios.append((spent["purify"] + spent["verify"]) / spent["scan"])
    assert median(ratios) == pytest.approx(PURIFY_PER_SCAN, abs=2)
