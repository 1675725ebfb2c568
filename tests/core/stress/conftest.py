"""Runs for the test track, in a home of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.runs.record import Run
from tests.core.purified import field_run, purified_run


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DISSOLVE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def run(home: Path) -> Run:
    return purified_run()


@pytest.fixture
def field(home: Path) -> Run:
    return field_run()
