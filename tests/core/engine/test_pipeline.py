"""Whole runs on the shipped victim of the digits: what is told, what is kept, and what cannot be used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from core.events import Failed, Finished, Frame, Measured, Progress, Scanned, StageStarted, Step, Verified
from core.victims import card_of, load_victim
from tests.core.whole_runs import STAGES, VICTIM, Done, do

RESULT_KEYS = {
    "target", "anomaly_index", "asr_kind", "ba_before", "ba_after", "asr_before", "asr_after", "seconds", "device",
    "steps", "clean_images", "dissolution_before", "dissolution_after", "arch",
}  # fmt: skip


# a whole run


def test_it_is_done(whole: Done) -> None:
    assert whole.status == whole.run.status == "done"
    assert whole.run.data["failure"] is None


def test_the_stages_come_in_order(whole: Done) -> None:
    assert [event.stage for event in whole.of(StageStarted)] == STAGES
    kinds = [type(event) for event in whole.events]
    first = kinds.index
    assert first(Frame) < first(Scanned) < first(Step) < kinds.index(Finished) == len(kinds) - 1
    assert [event.when for event in whole.of(Measured)] == ["before", "after"]
    assert first(Measured) < first(Scanned)
    assert len(whole.of(Scanned)) == 1


def test_progress_counts_up_within_its_stage(whole: Done) -> None:
    for stage in ("scan", "purify"):
        told = [event for event in whole.of(Progress) if event.stage == stage]
        assert len(told) > 3
        assert [event.done for event in told] == sorted({event.done for event in told})
        assert all(0 <= event.done <= event.total for event in told)


def test_the_attack_is_found_and_removed(whole: Done) -> None:
    card, result = card_of(VICTIM), whole.result
    assert result["target"] == card.target
    assert result["anomaly_index"] > 2
    assert result["asr_kind"] == "true"
    assert result["asr_before"] == pytest.approx(card.asr, abs=0.5)
    assert result["ba_before"] == pytest.approx(card.ba, abs=0.5)
    assert result["asr_after"] < 10
    assert result["ba_after"] > result["ba_before"] - 5
    assert result["dissolution_before"] < 20
    assert result["dissolution_after"] > 60


def test_the_cure_is_proved_before_it_is_told(whole: Done) -> None:
    kinds = [type(event) for event in whole.events]
    (verified,) = whole.of(Verified)
    assert kinds.index(Step) < kinds.index(Verified) < len(kinds) - 1 - kinds[::-1].index(Measured)
    assert whole.result["cure"] == verified.cure
    assert whole.result["cure_reasons"] == verified.reasons
    assert whole.result["proof"] == verified.evidence
    assert verified.evidence["true"]["asr"] == whole.result["asr_after"]
    assert verified.evidence["fresh"]["before"] > 50
    assert 0 < verified.images < 300, "half of the test images are kept for the triggers"


def test_the_fresh_triggers_are_on_record_and_none_is_the_scans(whole: Done) -> None:
    (verified,) = whole.of(Verified)
    fresh, scans = whole.run.triggers("fresh"), whole.run.triggers()
    assert fresh is not None
    assert scans is not None
    assert verified.trigger == "fresh.npz"
    assert set(fresh.targets.tolist()) == {card_of(VICTIM).target}
    assert all(np.abs(one - other).max() > 0.01 for one in fresh.patterns for other in scans.patterns)


def test_the_result_has_what_other_programs_read(whole: Done) -> None:
    assert whole.result.keys() >= RESULT_KEYS
    assert whole.result["seconds"].keys() == set(STAGES)
    assert all(seconds >= 0 for seconds in whole.result["seconds"].values())
    assert whole.result["device"] == "cpu"
    assert whole.result["clean_images"] == 60
    before, after = whole.of(Measured)
    assert whole.result["ba_before"] == before.ba
    assert whole.result["asr_after"] == after.asr
    assert before.clean_images == 599
    assert before.triggered_images < 599


def test_the_scan_tells_of_every_class(whole: Done) -> None:
    scanned = whole.of(Scanned)[0]
    assert len(scanned.mask_sizes) == len(scanned.attack_rates) == 10
    sizes = [np.inf if size is None else size for size in scanned.mask_sizes]
    assert int(np.argmin(sizes)) == scanned.target == whole.run.data["target"]
    trigger = whole.run.triggers()
    assert trigger is not None
    assert trigger.mask.shape == (1, 16, 16)
    assert trigger.pattern.shape == (3, 16, 16)
    assert 0 < trigger.mask.sum() < 16 * 16 / 4


def test_every_frame_can_be_read_and_agrees_with_its_event(whole: Done) -> None:
    frames = whole.of(Frame)
    samples = whole.run.samples
    assert samples is not None
    assert len(samples.label) == 200
    assert [frame.index for frame in frames] == list(range(whole.run.frame_count))
    assert [frame.step for frame in frames[:11]] == list(range(11)), "at first every step gets a frame"
    assert [frame.step for frame in frames] == sorted(frame.step for frame in frames)
    clean, away = ~samples.triggered, samples.triggered & (samples.label != card_of(VICTIM).target)
    for frame in frames:
        arrays = whole.run.frame(frame.index)
        assert arrays.coords.shape == (200, 2)
        assert np.isfinite(arrays.coords).all()
        right = 100 * (arrays.answers == samples.label)[clean].mean()
        assert frame.ba == pytest.approx(right, abs=0.01)
        hit = 100 * (arrays.answers == card_of(VICTIM).target)[away].mean()
        assert frame.asr == pytest.approx(hit, abs=0.01)
        assert 0 <= frame.dissolution <= 100
        assert 0.5 < frame.trustworthiness <= 1
    assert frames[0].asr > 95
    assert frames[-1].asr < 10
    assert frames[-1].step == whole.result["steps"]
    assert frames[-1].dissolution > frames[0].dissolution + 50


def test_pixels_that_are_ours_are_kept_for_the_page(whole: Done) -> None:
    examples = whole.run.examples()
    assert examples is not None
    assert examples.clean.shape == examples.triggered.shape == (8, 16, 16, 3)
    assert (examples.clean[:, :13] == examples.triggered[:, :13]).all(), "the trigger is at the bottom"
    assert (examples.clean != examples.triggered).any((1, 2, 3)).all()
    assert whole.run.thumbs is not None


def test_the_purified_weights_load_and_differ(whole: Done) -> None:
    purified = load_file(whole.run.folder / "model.safetensors")
    victim = load_victim(VICTIM).net.state_dict()
    assert purified.keys() == victim.keys()
    assert all(purified[name].shape == victim[name].shape for name in victim)
    assert not torch.equal(purified["fc.weight"], victim["fc.weight"])


def test_the_record_has_the_same_events(whole: Done) -> None:
    assert [event for _, event in whole.run.events()] == whole.events
    assert whole.run.data["classes"] == list("0123456789")


# scanning alone, and a target that is given


def test_scan_only_leaves_the_model_as_it_is(root: Path) -> None:
    scan = do(root, scan_only=True, map=False, target=4)
    assert scan.status == "done"
    assert "purify" not in [event.stage for event in scan.of(StageStarted)]
    assert [event.when for event in scan.of(Measured)] == ["before"]
    assert scan.of(Step) == scan.of(Frame) == []
    assert scan.result["ba_after"] is scan.result["asr_after"] is None
    assert scan.result["asr_before"] > 95
    assert not (scan.run.folder / "model.safetensors").exists()
    # the target was given, and the finding is still told
    assert scan.result["target"] == 4
    scanned, trigger = scan.of(Scanned)[0], scan.run.triggers()
    assert scanned.target == card_of(VICTIM).target
    assert trigger is not None
    assert set(trigger.targets.tolist()) == {4}, "kept are the triggers of the class that was given"


@pytest.mark.parametrize(
    ("order", "images"),
    [({}, 60), ({"enough": True}, 500), ({"enough": True, "clean_budget": 70}, 70)],
)
def test_of_a_small_set_a_share_is_raised_where_it_may_be(
    whole: Done, root: Path, order: dict[str, Any], images: int
) -> None:
    scan = do(root, scan_from=whole.run, map=False, scan_only=True, **order)
    assert scan.result["clean_images"] == images
    assert scan.run.spec.clean_budget == (images if order else 0.05), "the record says how many were taken"


# what the user gave cannot be used


@pytest.fixture(scope="module")
def three_classes(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("images") / "three.npz"
    pixels = np.random.default_rng(0).integers(0, 256, (30, 16, 16, 3), np.uint8)
    np.savez(path, x_train=pixels, y_train=np.arange(30) % 3, x_test=pixels, y_test=np.arange(30) % 3)
    return str(path)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"clean_budget": 5}, "budget_too_small"),
        ({"target": 10}, "target_out_of_range"),
        ({"images": "three"}, "model_classes_differ"),
        ({"device": "cuda:99"}, "device_missing"),
    ],
)
def test_bad_input_fails_the_run_with_its_code(
    root: Path, three_classes: str, changes: dict[str, Any], code: str
) -> None:
    if changes.get("images") == "three":
        changes = {"images": three_classes}
    failed = do(root, map=False, **changes)
    assert failed.status == failed.run.status == "failed"
    assert failed.run.data["failure"]["code"] == code
    assert isinstance(failed.events[-1], Failed)
    assert failed.run.data["result"] is None


def test_settings_that_cannot_be_fail_before_the_work(root: Path) -> None:
    failed = do(root, map=False, settings={"tau": "warm"})
    assert failed.run.data["failure"]["code"] == "bad_setting"
    assert failed.of(Scanned) == [], "a mistake that can be seen at once is told at once"


def test_a_run_calls_the_classes_as_it_was_told(whole: Done, root: Path) -> None:
    words = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    done = do(root, scan_from=whole.run, map=False, scan_only=True, class_names=words)
    assert done.run.data["classes"] == words
    assert done.result["target_name"] == words[done.result["target"]]
    failed = do(root, map=False, scan_only=True, class_names=words[:3])
    assert failed.run.data["failure"]["code"] == "class_names_differ"


# other defences


@pytest.fixture(scope="module")
def tuned(root: Path) -> Done:
    """Trained so little that the backdoor stays."""
    return do(root, defence="ft", settings={"epochs": 2, "least": 5, "lr": 1e-4})


def test_a_defence_that_needs_no_trigger_is_not_made_to_wait_for_a_scan(tuned: Done) -> None:
    assert tuned.status == "done"
    assert [event.stage for event in tuned.of(StageStarted)] == ["load", "measure", "purify", "verify"]
    assert tuned.of(Scanned) == []
    assert [event.asr_kind for event in tuned.of(Measured)] == ["true", "true"]
    assert tuned.result["asr_before"] > 95
    assert tuned.result["target"] is tuned.result["anomaly_index"] is tuned.result["verdict"] is None
    assert len(tuned.of(Frame)) > 2
    assert tuned.run.data["target"] is None


def test_what_is_not_cured_is_not_handed_out(tuned: Done) -> None:
    assert (tuned.result["cure"], tuned.result["ba_held"]) == ("failed", True)
    assert not (tuned.run.folder / "model.safetensors").exists()
