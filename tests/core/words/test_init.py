"""What the engine and the dashboard both say: the same keys and facts in every language."""

from __future__ import annotations

import json
import math
from datetime import UTC, timedelta, timezone
from pathlib import Path
from typing import get_args

import pytest

from core.defenses import DEFENCES
from core.events import STAGES
from core.report.advice import ROWS, Choice
from core.report.facts import GRADES
from core.runs.spec import PROJECTIONS
from core.triggers.kept import FORMS
from core.words import LANGUAGES, Words, catalogue, clock

ROOT = Path(__file__).resolve().parents[3]
NAMES = {language: catalogue(language).keys() for language in LANGUAGES}


def placeholders(text: str) -> set[str]:
    import string

    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_all_catalogues_hold_the_same_keys() -> None:
    assert NAMES["en"] == NAMES["ja"]


def test_a_sentence_names_the_same_facts_in_all_languages() -> None:
    said = {key: [catalogue(language)[key] for language in LANGUAGES] for key in NAMES["en"]}
    assert [key for key, texts in said.items() if not all(text.strip() for text in texts)] == []
    assert [key for key, texts in said.items() if len({frozenset(placeholders(text)) for text in texts}) > 1] == []


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
        ("defence.{}", list(DEFENCES)),
        ("defence.{}", [f"{name}.{one}" for name, m in DEFENCES.items() if len(m.presets) > 1 for one in m.presets]),
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


def test_a_change_is_that_of_the_figures_as_shown() -> None:
    assert Words("en").change(98.94, 1.26) == "−97.6\u00a0points"  # 98.9 to 1.3
    assert Words("ja").change(97.3, 97.5) == "+0.2\u00a0ポイント"


def test_spans_of_time_as_on_a_stopwatch() -> None:
    assert [clock(seconds) for seconds in (-1, 0.2, 4, 64, 3723)] == ["0:00", "0:00", "0:04", "1:04", "1:02:03"]


def test_sizes_in_the_unit_that_fits() -> None:
    size = Words("ja").size
    assert [size(n) for n in (3, 61_499, 999_999, 1_250_000, 2_000_000_000)] == [
        "1 kB", "61 kB", "1000 kB", "1.2 MB", "2.0 GB",
    ]  # fmt: skip


def test_a_moment_is_told_with_its_zone() -> None:
    tokyo = timezone(timedelta(hours=9))
    assert Words("ja", tokyo).when("2026-03-04T20:06:07+00:00") == "2026年3月5日 05:06 (UTC+09:00)"
    assert Words("en", UTC).when("2026-03-04T05:06:07") == "4 Mar 2026, 05:06 (UTC)"
    assert Words("en", UTC).when("2026-03-04T05:06:07", offset=False) == "4 Mar 2026, 05:06"
    assert Words("en", UTC).when("yesterday") == ""


def test_names_of_the_users_own_stay_as_they_are() -> None:
    words = Words("ja")
    assert words.name("data", "signs") == "道路標識"
    assert words.name("data", "my photos") == "my photos"
    assert words.target("mine", ["cat", "dog"], 1) == "dog"
    assert words.defence("of_the_future") == words.method("of_the_future", "default") == "of_the_future"


@pytest.mark.parametrize("index", [None, -1, 2])
def test_a_target_that_is_not_known_is_called_so(index: int | None) -> None:
    assert Words("en").target("mine", ["cat", "dog"], index) == "the target class"


def test_victims_and_defences_are_named_as_a_person_would() -> None:
    english, japanese = Words("en"), Words("ja")
    assert english.victim("signs", "badnets") == "Road signs · sticker (BadNets)"
    assert japanese.victim("my photos", None) == "my photos・未知のトリガー"
    assert english.method("mcl", "published") == "MCL, as published"
    assert japanese.method("fp", "default") == japanese.defence("fp") == "ファインプルーニング"
    assert english.triggered(None) == english.triggered("of_the_future") == "images with the trigger"


def test_sentences_are_joined_as_the_language_does() -> None:
    assert Words("en").joined(["One.", "Two."]) == "One. Two."
    assert Words("ja").joined(["一。", "二。"]) == "一。二。"
