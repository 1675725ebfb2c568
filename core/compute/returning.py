"""Generators that yield progress and return a result: access to the return value."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Generic, TypeVar

Progress = TypeVar("Progress")
Result = TypeVar("Result")


class Returning(Generic[Progress, Result]):
    """Iterates over what ``steps`` yields; after the loop, ``result`` is what it returned.

    Raises:
        AttributeError: ``result`` is read before the end of the loop.
    """

    result: Result

    def __init__(self, steps: Generator[Progress, None, Result]) -> None:
        self._steps = steps

    def __iter__(self) -> Iterator[Progress]:
        self.result = yield from self._steps


def returned(steps: Generator[Progress, None, Result]) -> Result:
    """Runs ``steps`` to the end; gives what it returned."""
    work = Returning(steps)
    for _ in work:
        pass
    return work.result


def with_offset(
    steps: Generator[tuple[int, int], None, Result], before: int, total: int
) -> Generator[tuple[int, int], None, Result]:
    """``steps`` with its progress counted on from ``before``, of ``total``."""
    work = Returning(steps)
    for done, _ in work:
        yield before + done, total
    return work.result
