"""The one-minute answer: does it say the same as the figures, and what would decide where they do not?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from core.compute.intervals import wilson
from core.report import Wording
from core.report.answer import answer
from core.report.proof import Proof
from core.runs.spec import Spec
from core.words import LANGUAGES, Words, catalogue
from tests.core.report.conftest import story

Say = Callable[..., Wording]
SCAN = Spec(weights="bought.pth", images="signs", scan_only=True)


@pytest.mark.parametrize(
    ("how", "tone"),
    [
        ({}, "good"),
        ({"cure": "doubt", "reasons": ("path",)}, "wait"),
        ({"cure": "failed", "reasons": ("fresh",)}, "bad"),
        ({"cure": None}, "wait"),
        ({"held": False}, "bad"),
        ({"verdict": "none", "kind": "estimated"}, "good"),
    ],
)
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_answer_tells_use_finding_work_remainder_and_certainty(
    say: Say, how: dict[str, Any], tone: str, language: str
) -> None:
    told = answer(say(story(**how), language=language))
    words = catalogue(language)
    assert told.tone == tone
    assert [name for name, _ in told.parts] == [words[f"answer.{part}"] for part in ("found", "done", "left", "sure")]
    assert all(sentence and "{" not in sentence for _, sentence in told.parts)


def test_a_scan_alone_says_that_nothing_was_changed_and_what_a_finding_is_worth(say: Say) -> None:
    told = answer(say(story(asr=(98.9, None), kind="estimated"), spec=SCAN))
    words = catalogue("en")
    assert told.use == words["report.choice.purify"]
    assert told.parts[1][1] == words["answer.done.scanned"]
    assert told.parts[3][1] == words["answer.sure.scan_strong"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_remains_of_a_class_that_only_the_new_scan_named_is_told_too(say: Say, language: str) -> None:
    others = {"target": 1, "asr": 0.6, "before": 98.0, "control": 0.2}
    before = Wording(replace(say(story()).facts, proof=Proof("holds", (), {"others": others})), Words(language))
    after = replace(before.facts, proof=Proof("holds", (), {"others": others | {"later": True}}))
    (_, one), (_, two) = answer(before).parts[2], answer(Wording(after, Words(language))).parts[2]
    assert two.startswith(one)
    figure = Words(language).percent(0.6)
    assert figure in two
    assert figure not in one


def test_what_keeps_the_cure_in_doubt_is_said_first(say: Say) -> None:
    told = answer(say(story(cure="doubt", reasons=("revival",))))
    assert (
        told.parts[3][1]
        == "Retrained for 7 passes on 5 images with the trigger, it takes the backdoor up again sooner "
        "than one towards another class: 4.0\u00a0% against 3.0\u00a0%."
    )


@pytest.mark.parametrize("how", [{"cure": "doubt", "reasons": ("images",)}, {"cure": "holds"}, {"cure": None}])
def test_too_few_images_come_with_the_number_that_would_decide(say: Say, how: dict[str, Any]) -> None:
    told = answer(say(story(asr=(98.9, 0.9), images=108, **how)))
    sentence = told.parts[3][1]
    numbers = [int(word) for word in sentence.replace(",", "").split() if word.isdecimal()]
    images, need = (number for number in numbers if number > 10)
    assert images == 108
    found, one_less = wilson(0.9, need), wilson(0.9, need - 1)
    assert found is not None
    assert one_less is not None
    assert found.high < 5 <= one_less.high
