"""A run that purified more than once, in words shared by the report, the dashboard and the command line."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from core.words import Words


class Purification(NamedTuple):
    """One purification of a run: the class that it was made against, and whether it is the one that counts."""

    target: int
    kept: bool


def purifications(result: object) -> tuple[Purification, ...]:
    """The purifications in a run's result, in their order; empty where there was one, or none can be read."""
    rows = result.get("purifications") if isinstance(result, dict) else None
    read = tuple(_read(rows)) if isinstance(rows, list) else ()
    return read if len(read) > 1 else ()


def sentences(found: Sequence[Purification], words: Words, name: Callable[[int], str]) -> list[str]:
    """That the run purified again, against which classes, and which result counts; [] where it purified once.

    Args:
        name: of a class, as it may stand where the sentences are shown.
    """
    again = enumerate(found[1:], 2)
    said = [words("cure.repeated", number=str(number), target=name(one.target)) for number, one in again]
    kept = next((number for number, one in enumerate(found, 1) if one.kept), len(found))
    if kept < len(found):
        said.append(words("cure.repeated.earlier", number=str(kept)))
    return said


def _read(rows: list[Any]) -> Iterator[Purification]:
    for row in rows:
        if isinstance(row, dict) and isinstance(row.get("target"), int):
            yield Purification(row["target"], row.get("kept") is True)
