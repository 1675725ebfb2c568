"""A run that purified more than once, in words shared by the report, the dashboard and the command line."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, NamedTuple

from core.runs.spec import REPEATS, Spec
from core.words import Words

Further = Literal["by_hand", "limit", "used_up", "tried"]


class Purification(NamedTuple):
    """One purification of a run: the class that it was made against, and whether it is the one that counts."""

    target: int
    kept: bool


def purifications(result: object) -> tuple[Purification, ...]:
    """The purifications in a run's result, in their order; empty where there was one, or none can be read."""
    rows = result.get("purifications") if isinstance(result, dict) else None
    read = tuple(_read(rows)) if isinstance(rows, list) else ()
    return read if len(read) > 1 else ()


def further_classes(result: object) -> tuple[int, ...]:
    """The classes that only the new scan of a proof of the run named, in that order; none in an older record."""
    rows = result.get("purifications") if isinstance(result, dict) else None
    named = [row.get("second") for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    return tuple(dict.fromkeys(label for label in named if isinstance(label, int)))


def further(result: object, spec: Spec) -> Further:
    """What was done about a class that the new scan of the proof that counts names, and that had not stood out before.

    Args:
        result: of the run's record.
        spec: its order.

    Returns:
        "tried": the run began to purify against it, and nothing came of that which counts. "limit": it may not purify
        so often; "used_up": nor may any run. "by_hand": it does not purify again by itself, for a target was given or
        its defence works without triggers, or it is older than that.
    """
    rows = result.get("purifications") if isinstance(result, dict) else None
    if not isinstance(rows, list) or not rows or not spec.can_repeat:
        return "by_hand"
    last = rows[-1] if isinstance(rows[-1], dict) else {}
    if last.get("kept") is not True or len(rows) <= spec.most_repeats:
        return "tried"
    return "limit" if spec.repeats < REPEATS[1] else "used_up"


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
