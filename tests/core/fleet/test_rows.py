"""Rows from the records of runs, and their order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from core.errors import BadInput
from core.fleet.listing import Entry
from core.fleet.risk import evidence
from core.fleet.rows import Row, counts, cure_seconds, ranked, row
from core.runs.record import Run

Make = Callable[..., Run]


def entry(run: Run | None = None, exposure: int | None = None) -> Entry:
    return Entry("a.pt", str(run.spec.weights) if run else "/a.pt", "digits", "Ada", "sorting", exposure)


def test_a_scan_that_saw_signs_is_a_row_with_its_class_and_risk(make_run: Make, tmp_path: Path) -> None:
    run = make_run(tmp_path / "a.pt")
    found = row(entry(run, exposure=4), run, sha256="ab", per_scan=3.0)
    assert (found.file, found.owner, found.use, found.sha256) == ("a.pt", "Ada", "sorting", "ab")
    assert (found.verdict, found.target, found.target_name, found.ba, found.asr_before) == (
        "strong", 3, "three", 90.0, 97.0,
    )  # fmt: skip
    assert found.risk == round(80 * evidence("strong", 5.0), 1)
    assert (found.step, found.step_seconds, found.run) == ("purify", 2 + 3 * 10, run.folder.name)
    assert found.signs
    assert found.ended


def test_without_a_sign_no_class_is_named(make_run: Make, tmp_path: Path) -> None:
    run = make_run(tmp_path / "a.pt", verdict="none", evidence={"suspicion": 1.0})
    found = row(entry(run), run)
    assert (found.target, found.target_name, found.step, found.signs) == (None, None, "watch", False)
    wary = make_run(tmp_path / "b.pt", verdict="none", evidence={"suspicion": 1.0, "fallen_back": 81.0})
    warned = row(entry(wary), wary)
    assert (warned.caution, warned.step) == (True, "caution")
    assert warned.risk
    assert found.risk
    assert warned.risk > found.risk


def test_a_run_that_failed_is_a_row_with_its_sentence_and_no_risk(make_run: Make, tmp_path: Path) -> None:
    run = make_run(tmp_path / "a.pt", "failed")
    run.update(failure={"code": "odd", "message": "It is odd.", "facts": {"file": "a.pt"}})
    found = row(entry(run), run)
    assert (found.error, found.code, found.facts, found.risk, found.step) == (
        "It is odd.", "odd", {"file": "a.pt"}, None, "mend",
    )  # fmt: skip
    assert row(entry(), fault=BadInput("gone", "It is gone.")).error == "It is gone."


def test_a_figure_that_is_no_number_is_missing(make_run: Make, tmp_path: Path) -> None:
    run = make_run(tmp_path / "a.pt", asr_before=float("nan"), evidence={})
    found = row(entry(run), run)
    assert (found.asr_before, found.suspicion) == (None, None)
    assert found.risk is not None


def test_a_cure_fills_its_columns_and_the_next_step(make_run: Make, tmp_path: Path) -> None:
    scan = make_run(tmp_path / "a.pt")
    cure = make_run(tmp_path / "a.pt", scan=False, cure="holds", ba_after=89.0, asr_after=1.5, seconds={"purify": 9.0})
    found = row(entry(scan), scan, cure)
    assert (found.cure, found.ba_after, found.asr_after, found.step) == ("holds", 89.0, 1.5, "rollout")
    assert found.handed_out is False
    assert found.cure_seconds == {"purify": 9.0}
    assert found.seconds == row(entry(scan), scan).seconds
    (cure.folder / "model.safetensors").touch()
    assert row(entry(scan), scan, cure).handed_out is True
    (cure.folder / "model.safetensors").rename(cure.folder / "model.onnx")
    assert row(entry(scan), scan, cure).handed_out is True
    assert found.risk == row(entry(scan), scan).risk, "the risk is that of the model as it came"


def test_a_purification_that_failed_leaves_the_finding(make_run: Make, tmp_path: Path) -> None:
    scan, cure = make_run(tmp_path / "a.pt"), make_run(tmp_path / "a.pt", "failed", scan=False)
    cure.update(failure={"code": "odd", "message": "It diverged.", "facts": {}})
    found = row(entry(scan), scan, cure)
    assert (found.error, found.cure, found.cure_error, found.step) == (None, None, "It diverged.", "again")
    lost = row(entry(scan), scan, cure_fault=BadInput("run_lost", "Gone."))
    assert (lost.cure_error, lost.step) == ("Gone.", "again")


def test_the_highest_risk_comes_first_and_what_has_none_last() -> None:
    base = Row("", "/w", "digits")
    rows = [
        replace(base, file="waits"),
        replace(base, file="broken", error="It is.", step="mend"),
        replace(base, file="low", risk=3.0, verdict="none", step="watch"),
        replace(base, file="b", risk=80.0, suspicion=4.0, verdict="strong", step="purify"),
        replace(base, file="a", risk=80.0, suspicion=4.0, verdict="strong", step="purify"),
        replace(base, file="z", risk=80.0, suspicion=9.0, verdict="strong", step="purify"),
    ]
    assert [found.file for found in ranked(rows)] == ["z", "a", "b", "low", "broken", "waits"]
    found = counts(rows)
    assert (found["total"], found["ended"], found["strong"], found["none"], found["error"]) == (6, 5, 3, 1, 1)


def test_seconds_of_cures_are_those_beyond_the_scan(make_run: Make, tmp_path: Path) -> None:
    """Its scan took 10 s; with purification and proof it were 11 + 10 + 4."""
    scan = make_run(tmp_path / "a.pt")
    cure = make_run(
        tmp_path / "b.pt", scan=False, cure="holds", seconds={"load": 3.0, "scan": 11.0, "purify": 10.0, "verify": 4.0}
    )
    assert cure_seconds([row(entry(scan), scan), row(entry(scan), scan, cure)]) == [(10.0, 15.0)]
