"""The fleets under the home, and which of a fleet's models are shown in which order. No Streamlit in the pure part."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from core.fleet import begin, page, place
from core.fleet.place import Standing
from core.fleet.rows import Row
from core.words import Words
from dashboard import i18n

if TYPE_CHECKING:
    import pandas as pd

GROUPS: dict[str, Callable[[Row], bool]] = {
    "strong": lambda row: row.verdict == "strong",
    "some": lambda row: row.verdict == "some",
    "none": lambda row: row.verdict == "none",
    "error": lambda row: row.error is not None,
    "wait": lambda row: row.step == "wait",
    "cured": lambda row: row.cure is not None,
}
# What a fleet can be sorted by; what a model has none of stands last. The rank is the order the rows come in.
ORDERS: dict[str, Callable[[Row], tuple[bool, float | str]]] = {
    "risk": lambda row: (False, 0.0),
    "file": lambda row: (False, row.file.casefold()),
    "owner": lambda row: (not row.owner, row.owner.casefold()),
    "ba": lambda row: (row.ba is None, row.ba or 0.0),
    "cost": lambda row: (row.step_seconds is None, -(row.step_seconds or 0.0)),
}


# Pixels of each column: at 1280 pixels all of them are seen. What a model of the fleet has of none is left out.
WIDTHS = {
    "rank": 46, "model": 160, "verdict": 104, "risk": 84, "picture": 70, "target": 118, "asr": 104, "ba": 100,
    "next": 122, "cure": 84, "owner": 92, "exposure": 76,
}  # fmt: skip
SHORT = ("risk", "asr")  # columns whose whole name is told under the pointer
MAY_LACK = ("cure", "owner", "exposure")
MAX_EXTRA_WIDTH = 120  # pixels that the names of models may have beside, where other columns are left out


def widths(columns: Collection[str]) -> dict[str, int]:
    """Pixels of the columns that are there; what others leave goes to the names of models."""
    left = sum(width for name, width in WIDTHS.items() if name not in columns)
    return {
        name: WIDTHS[name] + (min(left, MAX_EXTRA_WIDTH) if name == "model" else 0)
        for name in WIDTHS
        if name in columns
    }


def going(folder: Path) -> bool:
    """Whether somebody is at work on a fleet, or about to be."""
    now, job = standing(folder), begin.job(folder)
    return (now is not None and now.going) or (job is not None and job.at_work)


def recorded(folder: Path) -> Standing | None:
    """The recorded fleet, with owners and uses in the reader's language."""
    kept = standing(folder)
    return None if kept is None else replace(kept, models=[_told(row) for row in kept.models])


def _told(row: Row) -> Row:
    """A row of the recording, whose list names owners and uses in English."""
    owner, use = (i18n.t(f"fleet.recorded.{re.sub(' ', '_', name.lower())}") for name in (row.owner, row.use))
    return replace(row, owner=owner, use=use)


def truth(rows: Sequence[Row], backdoored: Collection[str]) -> tuple[int, int, int, int]:
    """Of how many models with a backdoor signs were found, and of how many without one: hit, of so many, wrong, of so
    many."""
    victims = [row for row in rows if row.file in backdoored]
    clean = [row for row in rows if row.file not in backdoored]
    return sum(row.signs for row in victims), len(victims), sum(row.signs for row in clean), len(clean)


def missed(rows: Sequence[Row], backdoored: Collection[str]) -> list[str]:
    """The files of the models with a backdoor that show no sign of one."""
    return [row.file for row in rows if row.file in backdoored and not row.signs]


def standing(folder: Path) -> Standing | None:
    """How a fleet stands; read anew only once it was written anew."""
    file = folder / place.STANDING
    try:
        stat = file.stat()
    except OSError:
        return None
    return _standing(str(folder), stat.st_mtime_ns, stat.st_size)


@st.cache_resource(max_entries=8, show_spinner=False)
def _standing(folder: str, changed: int, size: int) -> Standing | None:
    return place.read_standing(Path(folder))


def shown(rows: Sequence[Row], groups: Collection[str], text: str, order: str) -> list[tuple[int, Row]]:
    """The rows that belong to one of the groups (to any, without one) and have all words of ``text`` in file, owner,
    use or class; each with its rank, sorted.

    Args:
        rows: in rank order. groups: keys of ``GROUPS``. order: a key of ``ORDERS``.
    """
    words = text.casefold().split()

    def fits(row: Row) -> bool:
        about = " ".join((row.file, row.owner, row.use, row.target_name or "")).casefold()
        return (not groups or any(GROUPS[name](row) for name in groups)) and all(word in about for word in words)

    found = [(number, row) for number, row in enumerate(rows, 1) if fits(row)]
    return sorted(found, key=lambda pair: ORDERS[order](pair[1]))


def table(rows: Sequence[tuple[int, Row]], folder: Path, words: Words) -> pd.DataFrame:
    """What the page's table shows of some rows, worded, under the names of ``fleet.column.<name>``."""
    import pandas as pd

    told = [
        {
            "rank": number,
            "model": row.file,
            "verdict": page.verdict(row, words),
            "risk": row.risk,
            "picture": page.picture(folder, row) or "",  # a table says "None" of nothing
            "target": _class(row, words) if row.signs else "–",
            "asr": _both(row.asr_before, row.asr_after, words) if row.signs else "–",
            "ba": _both(row.ba, row.ba_after, words),
            "next": words(f"fleet.short.{row.step}"),
            "cure": words(f"cure.short.{row.cure}") if row.cure else "–",
            "owner": row.owner,
            "exposure": row.exposure,
        }
        for number, row in rows
    ]
    if not told:
        return pd.DataFrame()
    has = {"cure": any(row.cure for _, row in rows), "owner": any(row.owner for _, row in rows),
           "exposure": any(row.exposure is not None for _, row in rows)}  # fmt: skip
    table = pd.DataFrame(told).astype({"exposure": "Int64"})
    return table.drop(columns=[name for name in MAY_LACK if not has[name]])


def _class(row: Row, words: Words) -> str:
    """A class by its name; by its number as well where the name is one."""
    name = words.name(f"class.{row.images}", str(row.target_name))
    return page.target(row, words) if name.isdecimal() else name


def _both(before: float | None, after: float | None, words: Words) -> str:
    """A percentage, and what became of it by purification."""
    if before is None:
        return "–"
    return words.percent(before) if after is None else f"{words.percent(before)} → {words.percent(after)}"
