"""What the engine and the dashboard both say: the same keys and facts in every language."""

from __future__ import annotations

import json
import math
from datetime import UTC, timedelta, timezone
from pathlib import Path
from typing import get_args

import pytest

from core.defenses import DEFENCES, PRESETS
from core.events import STAGES
from core.report.advice import ROWS, Choice
from core.report.facts import GRADES
from core.runs.spec import PROJECTIONS
from core.triggers.kept import FORMS
from core.words import LANGUAGES, Words, catalogue

ROOT = Path(__file__).resolve().parents[3]
NAMES = {language: catalogue(language).keys() for language in LANGUAGES}


def placeholders(text: str) -> set[str]:
    import string

    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_all_catalogues_hold_the_same_keys() -> None:
    assert NAMES["en"] == NAMES["ja"]


@pytest.mark.parametrize("key", sorted(NAMES["en"]))
def test_a_sentence_names_the_same_facts_in_all_languages(key: str) -> None:
    texts = [catalogue(language)[key] for language in LANGUAGES]
    assert all(text.strip() for text in texts)
    assert len({frozenset(placeholders(text)) for text in texts}) == 1


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_sentence_stands_in_two_places(language: str) -> None:
    pages = json.loads((ROOT / "dashboard" / "i18n" / f"{language}.json").read_text(encoding="utf-8"))
    assert sorted(pages.keys() & NAMES[language]) == []


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("report.choice.{}", get_args(Choice)),
        ("report.say.{}", [choice for choice in get_args(Choice) if choice != "again"]),
        ("report.decide.{}", ROWS),
        ("report.decide.{}_rule", ROWS),
        ("verdict.{}", GRADES),
        ("verdict.short.{}", GRADES),
        ("report.verdict.{}", ("waiting", "unrecorded", "skipped")),
        ("report.here.{}", ("waiting", "unrecorded", "skipped")),
        ("report.state.{}", ("going", "stopped", "lost", "failed", "scan_only", "lab")),
        ("report.limits.{}", ("true", "estimated", "covers", "blind", "proof", "no_scan", "interval")),
        ("report.{}", ("true", "estimated")),
        ("evidence.form.{}", FORMS),
        ("phase.{}", STAGES),
        ("projection.{}", PROJECTIONS),
        ("preset.{}", PRESETS),
        ("defence.{}", list(DEFENCES)),
    ],
)
def test_every_sentence_whose_key_is_put_together_exists(pattern: str, names: list[str]) -> None:
    assert [name for name in names if pattern.format(name) not in NAMES["en"]] == []


def test_a_missing_sentence_or_fact_is_an_error() -> None:
    with pytest.raises(KeyError):
        Words("en")("no.such.key")
    with pytest.raises(KeyError):
        Words("en")("unit.percent")


def test_figures() -> None:
    english, japanese = Words("en"), Words("ja")
    assert english.percent(99.85, 0) == "100\u00a0%"
    assert japanese.percent(3.14) == "3.1%"
    assert english.percent(None) == english.percent(math.nan) == "–"
    assert english.change(97.34, 95.26) == "−2.0\u00a0points"
    assert english.change(50.0, 50.0) == "+0.0\u00a0points"
    assert english.points(2.0, signed=False) == "2\u00a0points"
    assert english.duration(59.6) == "1 min 0 s"
    assert japanese.duration(3700) == "1 時間 1 分"
    assert english.duration(None) == "–"
    assert english.count(12630) == "12,630"


def test_a_moment_is_told_with_its_zone() -> None:
    tokyo = timezone(timedelta(hours=9))
    assert Words("ja", tokyo).when("2026-03-04T20:06:07+00:00") == "2026年3月5日 05:06 (UTC+09:00)"
    assert Words("en", UTC).when("2026-03-04T05:06:07") == "4 Mar 2026, 05:06 (UTC)"
    assert Words("en", UTC).when("yesterday") == ""


def test_names_of_the_users_own_stay_as_they_are() -> None:
    words = Words("ja")
    assert words.name("data", "signs") == "道路標識"
    assert words.name("data", "my photos") == "my photos"


def test_sentences_are_joined_as_the_language_does() -> None:
    assert Words("en").joined(["One.", "Two."]) == "One. Two."
    assert Words("ja").joined(["一。", "二。"]) == "一。二。"
