"""What the tests of commands share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.core.cli.made_up import make_home


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The runs' folder in a home with two shipped victims, where runs end at once with a made-up result."""
    return make_home(tmp_path, monkeypatch)
