from __future__ import annotations

import pytest

from dashboard import i18n, words


@pytest.fixture(params=["en", "ja"])
def lang(request: pytest.FixtureRequest, session: dict[str, str]) -> str:
    session["lang"] = request.param
    return request.param


def test_percentages(lang: str) -> None:
    assert words.percent(98.94) == {"en": "98.9\u00a0%", "ja": "98.9%"}[lang]
    assert words.percent(5, 0) == {"en": "5\u00a0%", "ja": "5%"}[lang]
    assert words.percent(None) == "–"


def test_a_change_is_that_of_the_figures_as_shown(lang: str) -> None:
    assert words.points(98.94, 1.26).startswith("−97.6")  # 98.9 to 1.3
    assert words.points(97.3, 97.5).startswith("+0.2")


@pytest.mark.parametrize(
    ("seconds", "english", "japanese"),
    [(None, "–", "–"), (4.4, "4 s", "4 秒"), (75, "1 min 15 s", "1 分 15 秒"), (3720, "1 h 2 min", "1 時間 2 分")],
)
def test_spans_of_time(lang: str, seconds: float | None, english: str, japanese: str) -> None:
    assert words.duration(seconds) == {"en": english, "ja": japanese}[lang]


def test_a_stopwatch() -> None:
    assert [words.clock(s) for s in (0.2, 4, 65, -1)] == ["0:00", "0:04", "1:05", "0:00"]


def test_a_moment(lang: str) -> None:
    assert words.when("2026-03-04T05:06:07+00:00") == {"en": "4 Mar 2026, 05:06", "ja": "2026年3月4日 05:06"}[lang]
    assert words.when("nonsense") == ""


def test_users_own_names_stay_as_they_are(lang: str) -> None:
    assert words.images_name("/home/me/cats") == "/home/me/cats"
    assert words.target_name("mine", ["cat", "dog"], 1) == "dog"
    assert i18n.class_name("signs", "stop") == {"en": "Stop", "ja": "一時停止"}[lang]
    assert words.target_name("mine", [], 3) == i18n.translate(lang, "target.unknown")


def test_a_defence_is_named_and_mcl_with_its_settings(lang: str) -> None:
    assert words.method_name("mcl", "published") == {"en": "MCL, as published", "ja": "MCL（論文どおりの設定）"}[lang]
    assert words.method_name("fp", "default") == {"en": "Fine-pruning", "ja": "ファインプルーニング"}[lang]
