from __future__ import annotations

from dataclasses import replace

from core.events import Measured
from dashboard.components.outcome import alone, table


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


def test_the_target_class_has_its_own_accuracy_where_it_was_measured() -> None:
    before, after = (
        replace(measured(when, 1.0, "true"), target_ba=own) for when, own in (("before", 91.2), ("after", 72.0))
    )
    html = table(before, after)
    assert "91.2\u00a0%" in html
    assert "72.0\u00a0%" in html
    assert "−19.2" in html
    assert "target class" not in table(measured("before", 1.0, "true"), after), "an older record"


def test_nothing_is_said_of_what_is_not_measured_yet() -> None:
    assert "–" in table(measured("before", 98.9, "estimated"), None)


def test_a_model_that_was_measured_once_has_nothing_beside_its_figures() -> None:
    html = alone(measured("before", 98.9, "estimated"))
    assert "98.9\u00a0%" in html
    assert "97.0\u00a0%" in html
    assert "(estimated)" in html
    assert "–" not in html
