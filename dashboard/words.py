"""Figures, times and names as a reader of either language expects to see them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st

from dashboard.i18n import catalogue, class_name, language, t


def percent(value: float | None, digits: int = 1) -> str:
    """``value`` percent, or a dash where there is none."""
    return "–" if value is None else t("unit.percent", value=f"{value:.{digits}f}")


def points(before: float, after: float) -> str:
    """The change between two percentages, signed, in percentage points, from the figures as shown."""
    change = round(after, 1) - round(before, 1)
    return t("unit.points", value=f"{change:+.1f}".replace("-", "−"))


def duration(seconds: float | None) -> str:
    """A span of time in the two largest units that matter."""
    if seconds is None:
        return "–"
    whole = round(seconds)
    if whole < 60:
        return t("unit.seconds", s=whole)
    if whole < 3600:
        return t("unit.minutes", m=whole // 60, s=whole % 60)
    return t("unit.hours", h=whole // 3600, m=whole % 3600 // 60)


def clock(seconds: float) -> str:
    """A short span as on a stopwatch: ``0:04``."""
    whole = max(0, round(seconds))
    return f"{whole // 60}:{whole % 60:02d}"


def when(created: str) -> str:
    """An ISO time (UTC) as date and time where the reader is; "" where it cannot be read."""
    try:
        moment = datetime.fromisoformat(created)
    except ValueError:
        return ""
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    try:
        zone: Any = ZoneInfo(st.context.timezone or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        zone = UTC
    local = moment.astimezone(zone)
    month = catalogue(language())["unit.months"].split()[local.month - 1]
    return t("unit.when", year=local.year, month=month, day=local.day, time=f"{local:%H:%M}")


def images_name(data: str) -> str:
    """An image set in words; a user's own set keeps its name."""
    return catalogue(language()).get(f"data.{data}", data)


def attack_name(attack: str | None) -> str:
    """A kind of trigger in words with its name in the literature."""
    return t("attack.unknown") if attack is None else catalogue(language()).get(f"attack.{attack}", attack)


def victim_name(data: str, attack: str | None) -> str:
    """A victim as a person would describe it: "Road signs · sticker (BadNets)"."""
    return t("victim.name", images=images_name(data), attack=attack_name(attack))


def method_name(defence: str, preset: str) -> str:
    """A defence in words; MCL, which has more than one, with its settings."""
    words = catalogue(language())
    return words.get(f"preset.{preset}", preset) if defence == "mcl" else words.get(f"defence.{defence}", defence)


def defence_name(defence: str, short: bool = False) -> str:
    """A defence in a few words, or in one; one that this version does not know keeps the name it has on record."""
    return catalogue(language()).get(f"defence.{defence}{'.short' if short else ''}", str(defence))


def triggered_images(attack: str | None) -> str:
    """What the images with the trigger are called in a sentence."""
    return (
        t("triggered.unknown")
        if attack is None
        else catalogue(language()).get(f"triggered.{attack}", t("triggered.unknown"))
    )


def target_name(data: str, classes: list[str], target: int | None) -> str:
    """The target class in the reader's language."""
    if target is None or not 0 <= target < len(classes):
        return t("target.unknown")
    return class_name(data, classes[target])


def run_title(run: Any) -> str:
    """What a run is called: its victim in words, else its weights' file name, or the title it was given."""
    from dashboard import data

    card = data.victim(run.spec.victim)
    if card is not None:
        name = victim_name(card.data, card.attack)
        defence = run.spec.defence
        return name if defence == "mcl" else f"{name} · {method_name(defence, run.spec.preset)}"
    return str(run.data.get("title") or run.spec.weights or run.spec.victim or run.id).rsplit("/", 1)[-1]


def file_size(size: int) -> str:
    """Bytes as kB, MB or GB."""
    if size >= 1e9:
        return f"{size / 1e9:.1f} GB"
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{max(1, round(size / 1e3))} kB"


def plain(text: str) -> str:
    """Text as it stands, in Markdown: a file name may hold characters that Markdown takes for its own."""
    return "".join(f"\\{sign}" if sign in r"\`*_{}[]()#+-.!$~:<>|" else sign for sign in text)
