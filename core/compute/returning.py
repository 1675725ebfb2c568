"""Loops over a generator that also returns something: long work that tells how far it is, and then gives its result."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Generic, TypeVar

Told = TypeVar("Told")
Result = TypeVar("Result")


class Returning(Generic[Told, Result]):
    """Iterates over what ``steps`` yields; ``result`` is what it returned, once the loop is through.

    Raises:
        AttributeError: ``result`` is asked for before.
    """

    result: Result

    def __init__(self, steps: Generator[Told, None, Result]) -> None:
        self._steps = steps

    def __iter__(self) -> Iterator[Told]:
        self.result = yield from self._steps


def returned(steps: Generator[Told, None, Result]) -> Result:
    """Goes through ``steps`` to the end; what it returns."""
    work = Returning(steps)
    for _ in work:
        pass
    return work.result
