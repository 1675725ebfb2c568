"""What the tests of commands share."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.core.cli.made_up import RESULT, make_home, pipeline, use

EndWith = Callable[..., None]


@pytest.fixture
def home(tmp_path: Path, shipped: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The runs' folder in a home with two shipped victims, where runs end at once with a made-up result."""
    return make_home(tmp_path, shipped, monkeypatch)


@pytest.fixture
def end_with(home: Path, monkeypatch: pytest.MonkeyPatch) -> EndWith:
    """``end_with(cure=None)``: runs end with another result than ``RESULT``, in these entries."""

    def change(**entries: Any) -> None:
        use(monkeypatch, partial(pipeline, result=RESULT | entries))

    return change
