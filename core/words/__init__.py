"""The words that pages, command line and report share, in every language: glossary, names, verdicts, sentences.

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

    # names

    def name(self, kind: str, what: str) -> str:
        """The name of a shipped thing, such as ``("data", "signs")``; a user's own keeps the name it has."""
        return self._catalogue.get(f"{kind}.{what}", what)

    def class_name(self, data: str, name: str) -> str:
        """A class of the image set ``data``; users' own class names stay as they are."""
        return self.name(f"class.{data}", name)

    def target(self, data: str, classes: Sequence[str], index: int | None) -> str:
        """The target class by its name; "the target class" where it is not known."""
        if index is None or not 0 <= index < len(classes):
            return self("target.unknown")
        return self.class_name(data, classes[index])

    def attack(self, attack: str | None) -> str:
        """A kind of trigger with its name in the literature; None: it is not known."""
        return self("attack.unknown") if attack is None else self.name("attack", attack)

    def triggered(self, attack: str | None) -> str:
        """What the images with the trigger are called in a sentence."""
        return self._catalogue.get(f"triggered.{attack}", self("triggered.unknown"))

    def victim(self, data: str, attack: str | None) -> str:
        """A victim as a person would describe it: "Road signs · sticker (BadNets)"."""
        return self("victim.name", images=self.name("data", data), attack=self.attack(attack))

    def defence(self, defence: str, short: bool = False) -> str:
        """A defence in a few words, or in one; one that this version does not know keeps the name it has on record."""
        return self._catalogue.get(f"defence.{defence}{'.short' if short else ''}", defence)

    def method(self, defence: str, preset: str) -> str:
        """A defence; one that has more than one preset, by its settings."""
        return self._catalogue.get(f"defence.{defence}.{preset}", self.defence(defence))

    # sentences

    def joined(self, sentences: Sequence[str]) -> str:
        """Sentences as one paragraph: with spaces between them, where the language has spaces."""
        return ("" if self.language == "ja" else " ").join(sentences)

    def named(self, name: str, sentence: str) -> str:
        """``sentence`` as it follows ``name`` and its colon: after a space, unless the colon is full-width."""
        return sentence if name.endswith("：") else f" {sentence}"

    # figures and times

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
        """The change between two percentages, in points: the difference of the figures as they are shown, rounded."""
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

    def size(self, size: int) -> str:
        """Bytes as kB, MB or GB, of a thousand each."""
        if size >= 1e9:
            return f"{size / 1e9:.1f} GB"
        return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{max(1, round(size / 1e3))} kB"

    def when(self, moment: str, offset: bool = True) -> str:
        """An ISO time (UTC) as date and time in ``zone``; "" where it cannot be read.

        Args:
            offset: whether the zone's distance from UTC is told, as on a page that is passed on.
        """
        try:
            read = datetime.fromisoformat(moment)
        except ValueError:
            return ""
        local = (read if read.tzinfo else read.replace(tzinfo=UTC)).astimezone(self.zone)
        month = self("unit.months").split()[local.month - 1]
        shown = self("unit.when", year=local.year, month=month, day=local.day, time=f"{local:%H:%M}")
        if not offset:
            return shown
        east = f"{local:%z}"
        return f"{shown} (UTC{f'{east[:3]}:{east[3:5]}' if int(east) else ''})"


def clock(seconds: float) -> str:
    """A span of time as on a stopwatch, the same in every language: "0:04", "1:02:03"."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _whole(figure: str) -> str:
    """A figure that no line break takes from its unit."""
    return figure.replace(" ", "\N{NO-BREAK SPACE}")
