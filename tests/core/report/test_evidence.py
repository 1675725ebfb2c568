"""Which sentences are said of a scan and of a training."""

from __future__ import annotations

from typing import Any

import pytest

from core.events import Scanned, Stamps
from core.report.evidence import Said, seen, taken_back, trained_against


def scanned(verdict: str = "strong", **facts: float) -> Scanned:
    values: dict[str, Any] = {
        "target": 1, "anomaly_index": 2.04, "mask_sizes": [1.0], "attack_rates": [99.0], "trigger": "t.npz",
    }  # fmt: skip
    return Scanned(**values, verdict=verdict, facts=facts)


TEXT = ("evidence.text", {"index": "2.0", "gap": "2.0"})
SOON = ("evidence.sooner", {"times": "4.0"})
WEAK = ("evidence.weak", {"index": "2.0"})


@pytest.mark.parametrize(
    ("verdict", "facts", "said"),
    [
        ("strong", {"gap": 2.0, "sooner": 4.0}, [TEXT, SOON]),
        ("strong", {"gap": 2.0, "sooner": 1.2}, [TEXT]),
        ("some", {"gap": 1.0, "sooner": 4.0}, [SOON]),
        ("some", {"gap": 1.0, "sooner": 1.0}, [WEAK]),
        ("some", {}, [WEAK]),
        ("none", {"gap": 2.0, "sooner": 4.0}, [WEAK]),
        ("none", {"gap": 2.0, "sooner": 4.0, "fallen_back": 81.4}, [("evidence.fallen_back", {"share": "81"})]),
        ("some", {"gap": 2.0, "sooner": 4.0, "warped": 83.4}, [("evidence.warped", {"share": "83"})]),
    ],
)
def test_what_a_class_stands_out_by_is_said_and_nothing_else(
    verdict: str, facts: dict[str, float], said: list[Said]
) -> None:
    assert seen(scanned(verdict, **facts)) == said


@pytest.mark.parametrize(
    ("verdict", "stamps", "estimated", "keys"),
    [
        ("strong", None, True, []),
        ("some", "beside", True, ["beside"]),
        ("none", "beside", True, ["precaution"]),
        ("none", "alone", False, ["alone"]),
        ("none", "alone", True, ["alone", "estimated"]),
    ],
)
def test_what_was_trained_against_is_squared_with_the_verdict(
    verdict: str, stamps: Stamps | None, estimated: bool, keys: list[str]
) -> None:
    said = trained_against(scanned(verdict), stamps, estimated)
    assert said == [f"evidence.stamps.{key}" for key in keys]
    given_up = trained_against(scanned(verdict), stamps, estimated, given_up=True)
    assert given_up == [key.replace("alone", "given_up") for key in said]


@pytest.mark.parametrize(
    ("back", "estimated", "keys"),
    [
        (0.05, True, []),
        (0.2, True, []),
        (0.3, False, ["evidence.back"]),
        (0.7, True, ["evidence.back", "evidence.back.estimated"]),
        (None, True, []),
        (7.0, True, []),
        ("0.7", True, []),
    ],
)
def test_a_long_way_back_is_told_with_what_it_may_bring_back(back: object, estimated: bool, keys: list[str]) -> None:
    said = taken_back(back, estimated)
    assert [key for key, _ in said] == keys
    assert all(values == {"share": f"{100 * float(str(back)):.0f}"} for _, values in said[:1])
