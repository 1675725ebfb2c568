"""The block on the cure: its grade by sign and words, its evidence, and the curve."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from core.report import Wording
from core.report.cure import cure
from core.words import LANGUAGES
from tests.core.report.conftest import PROOF, story

Say = Callable[..., Wording]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("state", ["holds", "doubt", "failed"])
def test_each_grade_is_told_by_words_sign_and_class(say: Say, state: str, language: str) -> None:
    told = say(story(cure=state, reasons=() if state == "holds" else ("fresh",)), language)
    text = cure(told)
    assert text is not None
    assert f'class="cure {state}"' in text
    assert told.words(f"cure.{state}") in text
    assert told.words(f"cure.next.{state}") in text
    assert text.count("<svg") == 2  # the sign and the curve
    assert text.count("<li class") == len(PROOF)
    assert ('class="bad"' in text) is (state != "holds")


def test_the_signs_differ_in_shape(say: Say) -> None:
    shapes = set()
    for state in ("holds", "doubt", "failed", None):
        text = str(cure(say(story(cure=state), name=str(state))))
        shapes.add(text[text.index('<path d="') : text.index('" fill', text.index('<path d="'))])
    assert len(shapes) == 4


def test_an_older_record_is_said_to_be_one(say: Say) -> None:
    text = cure(say(story(cure=None)))
    assert text is not None
    assert "older than the proof of cures" in text
    assert "<ul" not in text
    assert "<figure" not in text


def test_without_a_purification_there_is_no_block(say: Say) -> None:
    assert cure(say(story(asr=(98.9, None)), status="stopped")) is None
