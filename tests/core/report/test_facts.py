from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.report.facts import asr, gather
from core.runs.spec import Spec
from tests.core.report.conftest import Make, story


def test_a_finished_run_is_told_whole(make_run: Make) -> None:
    facts = gather(make_run())
    assert facts.grade == "strong"
    assert facts.purified
    assert facts.held is True
    assert facts.attack == "badnets"
    assert facts.clean_images == 600
    assert facts.seconds == {"measure": 1.0, "scan": 64.0}
    assert facts.total_seconds == 65
    assert facts.weights is not None
    assert facts.weights.sha256 == "ab" * 32
    assert facts.first is not None
    assert facts.last is not None
    assert (facts.first.index, facts.last.index) == (0, 1)


def test_without_a_report_of_its_own_time_is_counted_from_the_events(make_run: Make) -> None:
    facts = gather(make_run(story(asr=(98.9, None)), status="stopped"))
    assert facts.seconds == {"measure": 2.0, "scan": 2.0, "purify": 2.0}


def test_a_frame_without_its_file_does_not_count(make_run: Make) -> None:
    run = make_run(story(frames=3))
    (run.folder / "frames" / "00002.npz").unlink()
    facts = gather(run)
    assert facts.last is not None
    assert facts.last.index == 1


def test_a_true_and_an_estimated_rate_are_never_set_side_by_side(make_run: Make) -> None:
    mixed = [*story(asr=(98.9, None)), *story(kind="estimated")[-2:]]
    facts = gather(make_run(mixed))
    assert facts.before is not None
    assert facts.after is None
    assert not facts.purified


@pytest.mark.parametrize(
    ("verdict", "facts", "status", "grade"),
    [
        ("strong", None, "done", "strong"),
        ("none", None, "done", "none"),
        ("none", {}, "done", "unrecorded"),  # of a version that had no verdicts: the event's default means nothing
        (None, None, "done", "skipped"),
        (None, None, "stopped", "waiting"),
    ],
)
def test_what_the_scan_said(make_run: Make, verdict: str | None, facts: dict | None, status: str, grade: str) -> None:
    assert gather(make_run(story(verdict=verdict, facts=facts), status=status)).grade == grade


def test_a_rate_that_could_not_be_measured_is_none(make_run: Make) -> None:
    assert asr(gather(make_run(story(asr=(float("nan"), 1.0)))).before) is None


def test_a_strangers_files_are_named_and_hashed_and_their_place_is_kept_quiet(make_run: Make, tmp_path: Path) -> None:
    weights = tmp_path / "secret-project" / "bought.pth"
    weights.parent.mkdir()
    weights.write_bytes(b"weights")
    run = make_run(spec=Spec(weights=str(weights), images=str(tmp_path / "secret-photos")))
    facts = gather(run)
    assert facts.title == "bought.pth"
    assert facts.images == "secret-photos"
    assert facts.card is None
    assert facts.weights == ("bought.pth", None), "the run noted none, and another file may lie there by now"
    (run.folder / "card.json").write_text(json.dumps({"input": {"file": "bought.pth", "sha256": "cd" * 32}}))
    assert gather(run).weights == ("bought.pth", "cd" * 32)
    run.update(inputs={"weights": "ef" * 32})
    assert gather(run).weights == ("bought.pth", "ef" * 32), "as it was when it was read"


def test_files_that_are_gone_or_damaged_are_no_fault(make_run: Make, tmp_path: Path) -> None:
    run = make_run(spec=Spec(weights=str(tmp_path / "gone.pth"), images="signs"))
    (run.folder / "card.json").write_text("{")
    facts = gather(run)
    assert facts.weights == ("gone.pth", None)
    assert facts.results == ()


def test_what_was_handed_out_goes_by_the_hash_it_was_handed_out_with(make_run: Make) -> None:
    run = make_run()
    (run.folder / "model.safetensors").write_bytes(b"purified")
    assert gather(run).results == (("model.safetensors", None),)
    run.update(outputs={"model.safetensors": "ab" * 32, "model.pt": "cd" * 32})
    assert gather(run).results == (("model.safetensors", "ab" * 32),)


def test_a_run_of_a_victim_that_is_not_shipped_any_more(make_run: Make) -> None:
    facts = gather(make_run(spec=Spec(victim="gone", images="signs"), true_target=2))
    assert facts.card is None
    assert facts.target == 2


def test_a_run_that_has_just_begun(make_run: Make) -> None:
    facts = gather(make_run([], status="failed", failure={"code": "x", "message": "It broke.", "facts": {}}))
    assert facts.grade == "waiting"
    assert facts.failure == "x"
    assert facts.total_seconds is None
    assert facts.first is None
