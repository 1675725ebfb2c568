"""What is said of a run that purified more than once."""

from __future__ import annotations

from typing import Any

import pytest

from core.report.repeated import purifications, sentences
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
