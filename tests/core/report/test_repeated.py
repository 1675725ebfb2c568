"""What is said of a run that purified more than once."""

from __future__ import annotations

from typing import Any

import pytest

from core.report.repeated import further, further_classes, purifications, sentences
from core.runs.spec import Spec
from core.words import LANGUAGES, Words

FIRST = {"target": 2, "kept": False}
LAST = {"target": 3, "kept": True}


@pytest.mark.parametrize(
    "result",
    [None, {}, {"purifications": None}, {"purifications": [LAST]}, {"purifications": ["x", {"target": "3"}, LAST]}],
)
def test_nothing_is_said_of_one_purification_or_of_an_older_record(result: Any) -> None:
    assert purifications(result) == ()
    assert sentences((), Words("en"), str) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_further_purification_is_told_with_its_class(language: str) -> None:
    found = purifications({"purifications": [FIRST, FIRST | {"target": 4}, LAST]})
    said = sentences(found, Words(language), lambda label: f"class {label}")
    assert len(said) == 2
    assert "class 4" in said[0]
    assert "2" in said[0]
    assert "class 3" in said[1]


@pytest.mark.parametrize("language", LANGUAGES)
def test_where_an_earlier_one_counts_that_is_told(language: str) -> None:
    found = purifications({"purifications": [FIRST | {"kept": True}, LAST | {"kept": False}]})
    again, counts = sentences(found, Words(language), str)
    assert "1" in counts
    assert again != counts


@pytest.mark.parametrize(
    ("result", "named"),
    [
        ({"purifications": [FIRST | {"second": 3}, LAST | {"second": None}]}, (3,)),
        ({"purifications": [FIRST | {"second": 3}, LAST | {"second": 5}]}, (3, 5)),
        ({"purifications": [FIRST | {"second": 3}]}, (3,)),  # which the run did not purify against
        ({"purifications": [FIRST, "x", {"second": "3"}]}, ()),
        ({"purifications": None}, ()),
        (None, ()),
    ],
)
def test_the_classes_that_only_a_new_scan_named(result: Any, named: tuple[int, ...]) -> None:
    assert further_classes(result) == named


def rows(*kept: bool) -> dict[str, Any]:
    return {"purifications": [{"target": number, "kept": one} for number, one in enumerate(kept)]}


@pytest.mark.parametrize(
    ("result", "order", "done"),
    [
        (rows(True), {"repeats": 0}, "limit"),
        (rows(True), {"repeats": 1}, "tried"),  # it began, and diverged or found nothing to purify against
        (rows(False, True), {"repeats": 1}, "limit"),
        (rows(True, False), {"repeats": 1}, "tried"),  # the second lost too much accuracy
        (rows(False, True), {"repeats": 2}, "tried"),
        (rows(False, False, False, True), {"repeats": 3}, "used_up"),
        (rows(True), {"target": 3}, "by_hand"),
        (rows(True), {"defence": "ft"}, "by_hand"),
        ({}, {}, "by_hand"),  # of a version that did not purify again
        (None, {}, "by_hand"),
        (rows(), {}, "by_hand"),
    ],
)
def test_what_was_done_about_a_further_class_follows_from_the_order_and_what_counts(
    result: Any, order: dict[str, Any], done: str
) -> None:
    assert further(result, Spec(victim="digits-badnets", **order)) == done
