from __future__ import annotations

from collections.abc import Generator

import pytest

from core.compute.returning import Returning, returned


def counting(to: int) -> Generator[int, None, str]:
    yield from range(to)
    return f"{to} counted"


@pytest.mark.parametrize("to", [0, 3])
def test_what_is_yielded_and_what_is_returned(to: int) -> None:
    work = Returning(counting(to))
    assert list(work) == list(range(to))
    assert work.result == f"{to} counted"
    assert returned(counting(to)) == f"{to} counted"


def test_there_is_no_result_before_the_end() -> None:
    work = Returning(counting(2))
    assert next(iter(work)) == 0
    with pytest.raises(AttributeError):
        work.result  # noqa: B018


def test_an_error_goes_through() -> None:
    def failing() -> Generator[int, None, None]:
        yield 1
        raise ValueError("half way")

    with pytest.raises(ValueError, match="half way"):
        returned(failing())
