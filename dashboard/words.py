"""``core.words`` for the reader: in the language and the time zone of the visit, which Streamlit knows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st

from core.words import Words
from dashboard import i18n


def reader_zone() -> tzinfo | None:
    """The reader's time zone, where the browser tells it."""
    try:
        return ZoneInfo(st.context.timezone) if st.context.timezone else None
    except (ZoneInfoNotFoundError, ValueError):
        return None


def reader() -> Words:
    """Words in the reader's language and time zone; UTC where the browser tells none."""
    return Words(i18n.language(), reader_zone() or UTC)


def percent(value: float | None, digits: int = 1) -> str:
    return reader().percent(value, digits)


def change(before: float, after: float) -> str:
    """The change between two percentages, in points."""
    return reader().change(before, after)


def duration(seconds: float | None) -> str:
    return reader().duration(seconds)


def when(created: str) -> str:
    """A moment where the reader is, whose own zone needs no naming."""
    return reader().when(created, offset=False)


def file_size(size: int) -> str:
    return reader().size(size)


def images_name(data: str) -> str:
    return reader().name("data", data)


def attack_name(attack: str | None) -> str:
    return reader().attack(attack)


def victim_name(data: str, attack: str | None) -> str:
    return reader().victim(data, attack)


def method_name(defence: str, preset: str) -> str:
    return reader().method(defence, preset)


def defence_name(defence: str, short: bool = False) -> str:
    return reader().defence(defence, short)


def triggered_images(attack: str | None) -> str:
    return reader().triggered(attack)


def target_name(data: str, classes: Sequence[str], target: int | None) -> str:
    return reader().target(data, classes, target)


def run_title(run: Any) -> str:
    """What a run is called: its victim in words, else the title it was given, else the file name of its weights."""
    from dashboard import data

    card = data.victim(run.spec.victim)
    if card is not None:
        name = victim_name(card.data, card.attack)
        defence = run.spec.defence
        return name if defence == "mcl" else f"{name} · {method_name(defence, run.spec.preset)}"
    return str(run.data.get("title") or run.spec.weights or run.spec.victim or run.id).rsplit("/", 1)[-1]
