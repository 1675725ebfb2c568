from __future__ import annotations

from core.events import Measured
from dashboard.components.outcome import table


def measured(when: str, asr: float, kind: str) -> Measured:
    return Measured(when, 97.0, 97.0, asr, kind, 10, 9)  # type: ignore[arg-type]


def test_before_and_after_stand_side_by_side() -> None:
    html = table(measured("before", 98.9, "true"), measured("after", 1.3, "true"))
    assert "98.9\u00a0%" in html
    assert "1.3\u00a0%" in html
    assert "−97.6" in html
    assert "(true)" in html


def test_a_true_and_an_estimated_rate_never_stand_side_by_side() -> None:
    html = table(measured("before", 98.9, "true"), measured("after", 1.3, "estimated"))
    assert "1.3" not in html
    assert "−97.6" not in html


def test_nothing_is_said_of_what_is_not_measured_yet() -> None:
    assert "–" in table(measured("before", 98.9, "estimated"), None)
