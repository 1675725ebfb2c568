from __future__ import annotations

import pytest

from core.rollout.rule import Rule, Stage, Tally, decide
from core.rollout.state import State
from core.rollout.wording import move, phrases, reasons
from core.words import LANGUAGES, Words

CASES: list[tuple[Stage, Tally]] = [
    ("off", Tally()),
    ("shadow", Tally(images=10)),
    ("shadow", Tally(images=400, differ=14, labelled=100, lost=3)),
    ("shadow", Tally(images=400, differ=4, labelled=100, lost=1, gained=1)),
    ("share", Tally(images=400, differ=60, flagged=5, alarms=2, labelled=300, lost=30)),
    ("all", Tally(images=400)),
]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("stage", "tally"), CASES)
def test_every_reason_and_every_phrase_has_its_words(stage: Stage, tally: Tally, language: str) -> None:
    words = Words(language)
    found = decide(stage, tally, Rule())
    for sentence in (*reasons(found, words), *phrases(State(stage=stage, tally=tally), words)):
        assert "{" not in sentence
        assert "None" not in sentence


def test_a_roll_out_that_has_to_go_back_is_not_called_complete() -> None:
    words = Words("en")
    for tally, key in ((Tally(images=400), "all"), (Tally(images=400, flagged=3, alarms=1), "back")):
        assert phrases(State(stage="all", tally=tally), words)[-1] == words(f"rollout.say.next_{key}")


def test_a_sentence_has_the_figures() -> None:
    (text,) = reasons(decide("shadow", Tally(images=400, differ=14), Rule()), Words("en"))
    assert "14 of 400 images (3.5" in text
    assert "limit is 5" in text


def test_a_move_says_who_decided_and_why() -> None:
    entry = {"from": "share", "to": "shadow", "by": "rule", "why": [["alarms", {"alarms": 1, "shared": 3}]]}
    text = move(entry, Words("en"))
    assert text.startswith("By the rule, from “share” to “shadow”.")
    assert "on 3 images" in text
