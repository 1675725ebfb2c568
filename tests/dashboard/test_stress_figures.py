from __future__ import annotations

from typing import Any

from core.stress.settings import NAMES
from dashboard.stress_figures import CHANGE, classes_figure, heat_figure

LABELS = {name: name.upper() for name in NAMES}
WORDS = {
    "percent": " %",
    "change": "Change", "asr_before": "ASR then", "asr_after": "ASR now", "strength": "strength", "ba": "Accuracy",
    "before": "before", "after": "after", "target": "target",
}  # fmt: skip


def cell(name: str, strength: int, before: float, after: float, asr: float | None = 90.0) -> dict[str, Any]:
    return {"corruption": name, "strength": strength, "ba_before": before, "ba_after": after, "loss": before - after,
            "asr_before": asr, "asr_after": None if asr is None else 2.0}  # fmt: skip


def test_a_cell_says_by_how_much_the_purified_model_is_better_or_worse() -> None:
    cells = [cell("fog", 1, 90, 84), cell("jpeg", 3, 70, 71.5)]
    change, then, now = (
        heat_figure(part, cells, [1, 3], LABELS, WORDS, {("fog", 1)}).data[0]
        for part in ("change", "asr_before", "asr_after")
    )
    assert list(change.x) == ["1", "3"]
    assert list(change.y) == [name.upper() for name in NAMES]
    fog, jpeg = NAMES.index("fog"), NAMES.index("jpeg")
    assert list(change.z[fog]) == [-6, None]
    assert list(change.text[fog]) == ["−6.0*", ""], "beyond chance"
    assert list(change.z[jpeg]) == [None, 1.5]
    assert list(change.text[jpeg]) == ["", "+1.5"]
    assert (then.z[fog][0], now.z[fog][0]) == (90, 2)
    assert "90.0 % → 84.0 %" in change.customdata[fog][0]


def test_zero_is_in_the_middle_and_noise_is_not_painted_as_a_disaster() -> None:
    loud = heat_figure("change", [cell("fog", 1, 90, 70)], [1], LABELS, WORDS).data[0]
    quiet = heat_figure("change", [cell("fog", 1, 90, 89.8)], [1], LABELS, WORDS).data[0]
    assert (loud.zmin, loud.zmid, loud.zmax) == (-20, 0, 20)
    assert (quiet.zmin, quiet.zmid, quiet.zmax) == (-5, 0, 5)
    assert CHANGE[1][0] == 0.5


def test_before_any_condition_is_there_the_map_is_empty() -> None:
    (drawn,) = heat_figure("change", [], [1, 2], LABELS, WORDS).data
    assert {value for row in drawn.z for value in row} == {None}


def test_classes_stand_in_pairs_told_apart_without_colour() -> None:
    rows = [{"before": 98.0, "after": 97.0, "target": False}, {"before": 95.0, "after": 80.0, "target": True}]
    before, after = classes_figure(rows, ["stop", "80"], WORDS).data
    assert list(before.x) == list(after.x) == ["stop", "80 (target)"]
    assert (list(before.y), list(after.y)) == ([98, 95], [97, 80])
    assert before.marker.pattern.shape != after.marker.pattern.shape
