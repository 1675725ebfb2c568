"""Which sentences tell a proof of a cure, and that no record can make them say more than it holds."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from core.events import Cure, Verified
from core.report.proof import REASONS, STATES, TESTS, Proof, handed_out, next_step, points, read, way_back
from core.report.repeated import Further
from core.words import LANGUAGES, Words, catalogue
from tests.core.report.conftest import PROOF


def told(cure: Cure, *reasons: str, evidence: dict[str, Any] | None = None, language: str = "en") -> list[str]:
    proof = Proof(cure, reasons, PROOF if evidence is None else evidence)
    words = Words(language)
    return [words(point.key, **point.values) for point in points(proof, lambda k: f"class {k}")]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_has_words_with_and_without_figures(reason: str, language: str) -> None:
    bare = catalogue(language)[f"proof.{reason}.bare"]
    assert told("doubt", reason, evidence={}, language=language) == [bare]
    with_figures = told("doubt", reason, evidence={reason: PROOF.get(reason)}, language=language)
    assert len(with_figures) == 1
    assert (with_figures[0] == bare) is (reason not in TESTS)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_state_has_its_words(language: str) -> None:
    for state in STATES:
        assert {f"cure.{state}", f"cure.{state}.text", f"cure.short.{state}", f"cure.next.{state}"} <= set(
            catalogue(language)
        )
    assert {*get_args(Cure), "old"} == set(STATES)


def test_what_events_promise_is_what_is_told() -> None:
    named = [line.split('"')[1] for line in str(Verified.__doc__).splitlines() if line.strip().startswith('- "')]
    assert sorted(named) == sorted(REASONS)


def test_a_proof_in_full_is_told_with_its_figures() -> None:
    said = [sentence.replace("\N{NO-BREAK SPACE}", " ") for sentence in told("holds")]
    assert len(said) == len(TESTS)
    for sentence, figures in zip(
        said,
        (("0.3 %",), ("6 triggers", "1.2 %", "96.0 %"), ("2.0 %", "1.1 %"), ("118 %",),
         ("0.9 %", "97.0 %"), ("0.7 %", "0.2 %"),
         ("no sign",), ("30 %", "3.4 %"),
         ("7 passes", "5 images", "4.0 % against 3.0 %")),
        strict=True,
    ):  # fmt: skip
        assert all(figure in sentence for figure in figures), sentence


def test_of_the_way_back_only_what_is_judged_is_told() -> None:
    way = {"shares": [0.0, 0.1, 0.2, 0.5], "asr": [1.0, 2.0, 3.0, 66.0], "judged": 0.2}
    (point,) = points(Proof("holds", (), {"path": way}), str)
    assert point.values == {"asr": "3.0", "share": "20", "end": "20"}
    (point,) = points(Proof("holds", (), {"path": {**way, "judged": None}}), str)
    assert point.values["asr"] == "66.0", "a record that does not say"


def test_what_speaks_against_it_comes_first_and_once() -> None:
    keys = [point.key for point in points(Proof("failed", ("scan", "true"), PROOF), str)]
    assert keys[:2] == ["proof.scan.bad", "proof.true.bad"]
    assert len(keys) == len(TESTS)


def test_a_scan_that_sees_signs_is_told_even_where_it_decided_nothing() -> None:
    found = points(Proof("holds", (), {"scan": {"verdict": "some", "target": 2}}), str)
    assert [(point.key, point.values, point.good) for point in found] == [("proof.scan.bad", {"target": "2"}, False)]


@pytest.mark.parametrize(
    "evidence",
    [
        {"fresh": {"asr": 1.0}},
        {"fresh": {"asr": float("nan"), "before": 96.0, "triggers": 6}},
        {"fresh": None, "true": 3.0, "scan": {"verdict": "odd"}, "shared": {"asr": "2", "control": True}},
        {"path": {"shares": [0.0], "asr": [1.0]}},
        {"path": {"shares": [0.0, 0.1], "asr": [1.0]}},
        {"path": {"shares": "ab", "asr": [1.0, 2.0]}},
        {"path": {"shares": [0.0, None], "asr": [1.0, 2.0]}},
        {"of_the_future": {"asr": 1.0}},
    ],
)
def test_figures_that_cannot_be_read_are_left_out(evidence: dict[str, Any]) -> None:
    assert told("holds", evidence=evidence) == []


@pytest.mark.parametrize(
    ("result", "proof"),
    [
        (None, Proof()),
        ({}, Proof()),
        ({"cure": None}, Proof()),
        ({"cure": "of the future", "cure_reasons": ["path"]}, Proof()),
        ({"cure": "holds"}, Proof("holds")),
        ({"cure": "doubt", "cure_reasons": ["path", "odd", 3, "path"], "proof": []}, Proof("doubt", ("path",))),
        ({"cure": "failed", "cure_reasons": "true", "proof": {"true": {}}}, Proof("failed", (), {"true": {}})),
    ],
)
def test_a_record_is_read_with_care(result: object, proof: Proof) -> None:
    assert read(result) == proof


def test_before_the_result_there_is_the_event() -> None:
    event = Verified("doubt", ["scan"], 1.0, 0.5, 100, {"true": {"asr": 1.0}})
    assert read(None, event) == Proof("doubt", ("scan",), {"true": {"asr": 1.0}})
    assert read({"cure": "failed"}, event).cure == "failed"


@pytest.mark.parametrize(
    ("cure", "reasons", "key"),
    [
        ("holds", (), "holds"),
        ("doubt", ("path", "images"), "doubt"),
        ("doubt", (), "doubt"),
        ("doubt", ("images",), "images"),
        ("doubt", ("unknown", "images"), "unknown"),
        ("failed", ("images",), "failed"),
        (None, (), "old"),
    ],
)
def test_the_next_step_follows_what_is_missing(cure: Cure | None, reasons: tuple[str, ...], key: str) -> None:
    assert next_step(Proof(cure, reasons)) == f"cure.next.{key}"
    assert all(f"cure.next.{key}" in catalogue(language) for language in LANGUAGES)


def test_where_a_class_is_named_that_had_not_stood_out_it_follows_what_the_run_did_about_it() -> None:
    another, same = ({"scan": {"verdict": "strong", "target": 3, **more}} for more in ({"second": True}, {}))
    for done in get_args(Further):
        assert next_step(Proof("doubt", ("scan",), another), True, done) == f"cure.next.further.{done}"
        assert next_step(Proof("doubt", ("scan",), same), True, done) == "cure.next.doubt"
    assert next_step(Proof("failed", ("fresh", "scan"), another)) == "cure.next.failed"
    assert next_step(Proof("doubt", ("path",), another)) == "cure.next.doubt", "the scan saw too little to count"


@pytest.mark.parametrize("proof", [Proof("holds"), Proof("doubt", ("images",)), Proof("failed", ("fresh",)), Proof()])
def test_a_model_that_was_not_handed_out_is_not_to_be_brought_into_use(proof: Proof) -> None:
    assert next_step(proof, held=False) == "cure.next.not_held"


@pytest.mark.parametrize(
    ("cure", "held", "accept", "key"),
    [
        ("holds", True, "", None),
        (None, True, "", None),
        ("doubt", None, "", "doubt"),
        ("failed", True, "", "failed"),
        ("failed", True, "not-cured", "accepted"),
        ("failed", False, "not-cured", "not_held"),
        ("holds", False, "", "not_held"),
    ],
)
def test_what_was_handed_out_is_said(cure: Cure | None, held: bool | None, accept: str, key: str | None) -> None:
    assert handed_out(Proof(cure), held, accept) == (key and f"cure.out.{key}")


def test_the_way_back_is_drawn_with_accuracy_only_where_it_fits() -> None:
    way = way_back(Proof("holds", (), PROOF))
    assert way is not None
    assert (way.shares[-1], way.asr[-1], way.ba and way.ba[0]) == (0.3, 3.4, 84.1)
    short = way_back(Proof("holds", (), {"path": PROOF["path"] | {"ba": [1.0]}}))
    assert short is not None
    assert short.ba is None


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_class_that_stood_out_only_after_a_purification_is_not_said_to_have_stood_out_in_the_original(
    language: str,
) -> None:
    evidence = {"others": PROOF["others"] | {"later": True}}
    (good,) = points(Proof("holds", (), evidence), str)
    (bad,) = points(Proof("failed", ("others",), evidence), str)
    assert (good.key, bad.key) == ("proof.later.good", "proof.later.bad")
    assert all(point.key in catalogue(language) for point in (good, bad))


@pytest.mark.parametrize(("control", "told"), [(4.9, False), (5.0, True), (None, False)])
@pytest.mark.parametrize("reasons", [(), ("fresh",)])
def test_what_other_classes_show_is_told_where_it_is_much(control: float, told: bool, reasons: tuple) -> None:
    evidence = {"fresh": {"asr": 9.0, "before": 96.0, "triggers": 6, "control": control}}
    (point,) = points(Proof("doubt" if reasons else "holds", reasons, evidence), str)
    assert (point.key.split(".")[1] == "fresh_beside") == told
    said = [Words(language)(point.key, **point.values) for language in LANGUAGES]
    assert all(("5.0" in sentence) == told for sentence in said)
