"""What is shown on a terminal: bars where somebody watches, durations and meters."""

from __future__ import annotations

import pytest

from core.cli import parser as cli
from core.cli import terminal

pytestmark = pytest.mark.usefixtures("home")


def test_bars_with_figures_where_somebody_watches(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(terminal, "interactive", lambda: True)
    monkeypatch.setenv("COLUMNS", "120")
    assert cli.main(["purify", "--json"]) == 0
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 1
    for named in ("Scanning", "0:03 left", "target class 3", "Purifying", "2/2", "attack success 4.0 %"):
        assert named in err


def test_a_meter_holds_whatever_the_percentage() -> None:
    assert [terminal.meter(p, 4) for p in (0, 50, 120, float("nan"))] == ["....", "##..", "####", "...."]
