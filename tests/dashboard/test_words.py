from __future__ import annotations

from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest

from dashboard import i18n, words


@pytest.fixture(params=["en", "ja"])
def lang(request: pytest.FixtureRequest, session: dict[str, str]) -> str:
    session["lang"] = request.param
    return request.param


def test_figures_are_told_in_the_readers_language(lang: str) -> None:
    assert words.percent(98.94) == {"en": "98.9\u00a0%", "ja": "98.9%"}[lang]
    assert words.change(98.94, 1.26) == {"en": "−97.6\u00a0points", "ja": "−97.6\u00a0ポイント"}[lang]  # 98.9 to 1.3
    assert words.duration(75) == {"en": "1 min 15 s", "ja": "1 分 15 秒"}[lang]


def test_a_moment_is_told_where_the_reader_is(lang: str, monkeypatch: pytest.MonkeyPatch) -> None:
    moment = "2026-03-04T20:06:07+00:00"
    for zone, told in (
        ("Asia/Tokyo", {"en": "5 Mar 2026, 05:06", "ja": "2026年3月5日 05:06"}),
        (None, {"en": "4 Mar 2026, 20:06", "ja": "2026年3月4日 20:06"}),
        ("Nowhere/Land", {"en": "4 Mar 2026, 20:06", "ja": "2026年3月4日 20:06"}),
    ):
        monkeypatch.setattr(words, "st", SimpleNamespace(context=SimpleNamespace(timezone=zone)))
        assert words.when(moment) == told[lang]
    assert words.when("nonsense") == ""


def test_the_zone_is_none_where_the_browser_tells_none_that_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    for zone, read in (("Asia/Tokyo", ZoneInfo("Asia/Tokyo")), ("", None), ("Nowhere/Land", None), ("../etc", None)):
        monkeypatch.setattr(words, "st", SimpleNamespace(context=SimpleNamespace(timezone=zone)))
        assert words.reader_zone() == read


def test_names_are_told_in_the_readers_language(lang: str) -> None:
    assert words.images_name("/home/me/cats") == "/home/me/cats"
    assert words.target_name("mine", ["cat", "dog"], 1) == i18n.class_name("mine", "dog") == "dog"
    assert i18n.class_name("signs", "stop") == {"en": "Stop", "ja": "一時停止"}[lang]
    assert words.method_name("mcl", "published") == {"en": "MCL, as published", "ja": "MCL（論文どおりの設定）"}[lang]
