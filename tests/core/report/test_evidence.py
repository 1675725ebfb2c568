"""Which sentences are said of a scan and of a training."""

from __future__ import annotations

from typing import Any

import pytest

from core.events import Scanned, Stamps
from core.report.evidence import seen, trained_against


def scanned(verdict: str = "strong", **facts: float) -> Scanned:
    values: dict[str, Any] = {
        "target": 1, "anomaly_index": 2.04, "mask_sizes": [1.0], "attack_rates": [99.0], "trigger": "t.npz",
    }  # fmt: skip
    return Scanned(**values, verdict=verdict, facts=facts)


@pytest.mark.parametrize(
    ("verdict", "facts", "keys"),
    [
        ("strong", {"gap": 2.0, "sooner": 4.0}, ["text", "sooner"]),
        ("strong", {"gap": 2.0, "sooner": 1.2}, ["text"]),
        ("some", {"gap": 1.0, "sooner": 4.0}, ["sooner"]),
        ("some", {"gap": 1.0, "sooner": 1.0}, ["weak"]),
        ("some", {}, ["weak"]),
        ("none", {"gap": 2.0, "sooner": 4.0}, ["weak"]),
    ],
)
def test_what_a_class_stands_out_by_is_said_and_nothing_else(
    verdict: str, facts: dict[str, float], keys: list[str]
) -> None:
    said = seen(scanned(verdict, **facts))
    assert [key for key, _ in said] == [f"evidence.{key}" for key in keys]
    values = {name: value for _, named in said for name, value in named.items()}
    assert values.get("gap", "2.0") == "2.0"
    assert values.get("times", "4.0") == "4.0"
    assert values.get("index", "2.0") == "2.0"


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
