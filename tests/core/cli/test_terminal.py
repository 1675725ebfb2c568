"""What is shown on a terminal: bars where somebody watches, durations and meters."""

from __future__ import annotations

from typing import Literal

import pytest

from core.cli import parser as cli
from core.cli import terminal
from core.events import Progress, Rescan, StageStarted

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


@pytest.mark.parametrize(("reason", "why"), [("unclear", "the mean of both"), ("statistics", "batch-norm statistics")])
def test_a_scan_that_begins_anew_says_why_and_its_bar_falls_back(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    reason: Literal["unclear", "statistics"],
    why: str,
) -> None:
    monkeypatch.setattr(terminal, "interactive", lambda: True)
    monkeypatch.setenv("COLUMNS", "120")
    with terminal.RunBars() as bars:
        for event in (StageStarted("scan"), Progress("scan", 300, 360, 9.0), Rescan(reason)):
            bars(event)
        assert why in capsys.readouterr().err
        bars(Progress("scan", 150, 360, 70.0))
        again = capsys.readouterr().err
    assert "150/360" in again
    assert "1:10 left" in again


def test_a_meter_holds_whatever_the_percentage() -> None:
    assert [terminal.meter(p, 4) for p in (0, 50, 120, float("nan"))] == ["....", "##..", "####", "...."]
