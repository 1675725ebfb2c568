"""What is kept of a scan and of a training, and the sentences that are said of it."""

from __future__ import annotations

from typing import Any

import pytest

from core.events import Scanned
from core.report.evidence import Evidence, sentences
from core.words import Words, catalogue

NAMES = ("stop", "give way", "30")


def evidence(verdict: str = "strong", result: dict[str, Any] | None = None, **facts: float) -> Evidence:
    scanned = Scanned(
        target=1, anomaly_index=2.04, mask_sizes=[1.0], attack_rates=[99.0], trigger="t.npz", verdict=verdict,
        facts=facts,
    )  # fmt: skip
    return Evidence.of(scanned, result or {})


def said(of: Evidence, language: str = "en") -> list[str]:
    return sentences(of, Words(language), lambda label: NAMES[label])


def told(key: str, **values: str) -> str:
    return catalogue("en")[key].format(**{"target": "give way", "form": "a patch in a fixed place"} | values)


TEXT = told("evidence.text", index="2.0", gap="2.0")
SOON = told("evidence.sooner", times="4.0")
WEAK = told("evidence.weak", index="2.0")


@pytest.mark.parametrize(
    ("verdict", "facts", "expected"),
    [
        ("strong", {"gap": 2.0, "sooner": 4.0}, [TEXT, SOON]),
        ("strong", {"gap": 2.0, "sooner": 1.2}, [TEXT]),
        ("some", {"gap": 1.0, "sooner": 4.0}, [SOON]),
        ("some", {"gap": 1.0, "sooner": 1.0}, [WEAK]),
        ("some", {}, [WEAK]),
        ("none", {"gap": 2.0, "sooner": 4.0}, [WEAK]),
        ("none", {"gap": 2.0, "sooner": 4.0, "fallen_back": 81.4}, [told("evidence.fallen_back", share="81")]),
        ("some", {"gap": 2.0, "sooner": 4.0, "warped": 83.4}, [told("evidence.warped", share="83")]),
        ("strong", {"gap": 2.0, "statistics": 1.0}, [TEXT, told("evidence.statistics", times="2.0")]),
    ],
)
def test_what_a_class_stands_out_by_is_said_and_nothing_else(
    verdict: str, facts: dict[str, float], expected: list[str]
) -> None:
    assert said(evidence(verdict, **facts)) == expected


@pytest.mark.parametrize(
    ("verdict", "result", "keys"),
    [
        ("strong", {}, []),
        ("strong", {"stamps": "of the future"}, []),
        ("some", {"stamps": "beside"}, ["beside"]),
        ("none", {"stamps": "beside"}, ["precaution"]),
        ("none", {"stamps": "alone", "asr_kind": "true"}, ["alone"]),
        ("none", {"stamps": "alone"}, ["alone", "estimated"]),
        ("none", {"stamps": "alone", "given_up": True}, ["given_up", "estimated"]),
    ],
)
def test_what_was_trained_against_is_squared_with_the_verdict(
    verdict: str, result: dict[str, Any], keys: list[str]
) -> None:
    assert said(evidence(verdict, result))[1:] == [told(f"evidence.stamps.{key}") for key in keys]


@pytest.mark.parametrize(
    ("back", "kind", "keys"),
    [
        (0.05, "estimated", []),
        (0.2, "estimated", []),
        (0.3, "true", ["evidence.back"]),
        (0.7, "estimated", ["evidence.back", "evidence.back.estimated"]),
        (None, "estimated", []),
        (7.0, "estimated", []),
        ("0.7", "estimated", []),
    ],
)
def test_a_long_way_back_is_told_with_what_it_may_bring_back(back: object, kind: str, keys: list[str]) -> None:
    values = {"share": f"{100 * float(str(back)):.0f}"} if keys else {}
    assert said(evidence(result={"back": back, "asr_kind": kind}))[1:] == [told(key, **values) for key in keys]


def test_a_class_that_was_given_is_told_from_the_one_found_unless_the_attackers_is_known() -> None:
    seen = Scanned(1, 2.0, [], [], "t.npz")
    given, own, known = (Evidence.of(seen, {}, real, k) for real, k in ((None, 2), (None, 1), (0, 2)))
    assert said(given)[1:] == [told("evidence.given", given="30", found="give way")]
    assert said(own)[1:] == []
    assert said(known)[1:] == [told("evidence.wrong", real="stop", found="give way")]
    assert said(Evidence.of(seen, {}, 1))[1:] == [told("evidence.right", found="give way")]
    assert [one.set_aside for one in (given, own, known)] == [True, False, False]


def test_other_classes_that_stand_out_are_named_and_left_out_of_the_comparison() -> None:
    seen = Scanned(1, 2.04, [], [], "t.npz", verdict="strong", facts={"gap": 2.0}, others=[2, 0])
    text = told("evidence.text.others", index="2.0", gap="2.0")
    assert said(Evidence.of(seen, {})) == [text, *(told("evidence.other", other=NAMES[label]) for label in (2, 0))]
    unclear = Scanned(1, 2.04, [], [], "t.npz", facts={"gap": 2.0}, others=[2])
    assert said(Evidence.of(unclear, {})) == [WEAK]


def test_both_languages_can_say_all_of_it() -> None:
    whole = evidence("some", {"stamps": "alone", "back": 0.7}, gap=2.0, sooner=4.0)
    assert len(said(whole)) == len(said(whole, "ja")) == 6
