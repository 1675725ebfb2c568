"""What things are called, in every language: the glossary, names, verdicts, and the sentences of the report.

One catalogue a language, flat keys, ``{name}`` placeholders. The dashboard's own catalogues add the sentences of its
pages to these. A missing key or placeholder is an error, never a silent fallback.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from functools import cache
from pathlib import Path
from typing import Any

LANGUAGES = ("en", "ja")


@cache
def catalogue(language: str) -> dict[str, str]:
    """The sentences of one language, by key."""
    return json.loads((Path(__file__).parent / f"{language}.json").read_text(encoding="utf-8"))


class Words:
    """Sentences, figures, times and names in one language.

    Args:
        language: one of ``LANGUAGES``.
        zone: in which moments are told; that of this computer by default.
    """

    def __init__(self, language: str, zone: tzinfo | None = None) -> None:
        self.language, self.zone = language, zone
        self._catalogue = catalogue(language)

    def __call__(self, key: str, **facts: Any) -> str:
        """The sentence of ``key`` with the facts filled in.

        Raises:
            KeyError: there is no such key, or the sentence names a fact that is not given.
        """
        return self._catalogue[key].format(**facts)

    def name(self, kind: str, what: str) -> str:
        """The name of a shipped thing, such as ``("data", "signs")``; a user's own keeps the name it has."""
        return self._catalogue.get(f"{kind}.{what}", what)

    def joined(self, sentences: Sequence[str]) -> str:
        """Sentences as one paragraph: with spaces between them, where the language has spaces."""
        return ("" if self.language == "ja" else " ").join(sentences)

    def named(self, name: str, sentence: str) -> str:
        """A sentence after its name and colon: a full-width colon brings its own space."""
        return sentence if name.endswith("：") else f" {sentence}"

    def count(self, number: int) -> str:
        """How many of something: 12,630."""
        return f"{number:,}"

    def percent(self, value: float | None, digits: int = 1) -> str:
        """``value`` percent, or a dash where there is none."""
        return "–" if value is None or math.isnan(value) else _whole(self("unit.percent", value=f"{value:.{digits}f}"))

    def points(self, value: float, signed: bool = True) -> str:
        """Percentage points: a change with its sign, or an amount without."""
        return _whole(self("unit.points", value=f"{value:+.1f}".replace("-", "−") if signed else f"{value:g}"))

    def change(self, before: float, after: float) -> str:
        """From one percentage to another, from the figures as they are shown."""
        return self.points(round(after, 1) - round(before, 1) + 0.0)

    def duration(self, seconds: float | None) -> str:
        """A span of time in the two largest units that matter."""
        if seconds is None:
            return "–"
        whole = round(seconds)
        if whole < 60:
            return self("unit.seconds", s=whole)
        if whole < 3600:
            return self("unit.minutes", m=whole // 60, s=whole % 60)
        return self("unit.hours", h=whole // 3600, m=whole % 3600 // 60)

    def when(self, moment: str) -> str:
        """An ISO time (UTC) as date and time with the zone's distance from UTC; "" where it cannot be read."""
        try:
            read = datetime.fromisoformat(moment)
        except ValueError:
            return ""
        local = (read if read.tzinfo else read.replace(tzinfo=UTC)).astimezone(self.zone)
        month = self("unit.months").split()[local.month - 1]
        shown = self("unit.when", year=local.year, month=month, day=local.day, time=f"{local:%H:%M}")
        offset = f"{local:%z}"
        return f"{shown} (UTC{f'{offset[:3]}:{offset[3:5]}' if int(offset) else ''})"


def _whole(figure: str) -> str:
    """A figure that no line break takes from its unit."""
    return figure.replace(" ", "\N{NO-BREAK SPACE}")
