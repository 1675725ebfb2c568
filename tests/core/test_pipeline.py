"""Whole runs on the shipped victim of the digits: what is told, what is kept, and going on after a stop."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from core import finding, outcome, pipeline
from core.defenses.mcl import Purifier
from core.events import Event, Failed, Finished, Frame, Measured, Progress, Scanned, StageStarted, Steered, Step
from core.inversion.verdict import Verdict
from core.run_state import Clock
from core.runs import record, steering, worker
from core.runs.record import Run
from core.runs.spec import Inputs, Spec, statistics
from core.victims import card_of, load_victim

VICTIM = "digits-badnets"
SPEC = Spec(victim=VICTIM, images="digits", points=200, projection="pca", device="cpu")
STAGES = ["load", "measure", "scan", "purify", "verify"]
RESULT_KEYS = {
    "target", "anomaly_index", "asr_kind", "ba_before", "ba_after", "asr_before", "asr_after", "seconds", "device",
    "steps", "clean_images", "dissolution_before", "dissolution_after", "arch",
}  # fmt: skip


class Done(NamedTuple):
    run: Run
    status: str
    events: list[Event]

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def result(self) -> dict[str, Any]:
        return self.run.data["result"]


def do(root: Path, on_event: Callable[[Run, Event], None] = lambda run, event: None, **changes: Any) -> Done:
    run = record.create(Spec(**SPEC.to_dict() | changes), root=root)
    return go_on(run, on_event)


def go_on(run: Run, on_event: Callable[[Run, Event], None] = lambda run, event: None) -> Done:
    seen: list[Event] = []

    def see(event: Event) -> None:
        seen.append(event)
        on_event(run, event)

    status = worker.work(run.folder, on_event=see)
    return Done(Run(run.folder), status, seen)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def whole(root: Path) -> Done:
    """One run with a map, from start to end."""
    return do(root)


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


# stopping


def test_stopped_in_the_middle_it_goes_on_and_ends_with_the_same_weights(
    whole: Done, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steering, "LOOK_EVERY", 0)

    def stop(run: Run, event: Event) -> None:
        if isinstance(event, Step) and event.step == 13:
            run.tell("stop")

    first = do(root, stop, map=False)
    assert first.status == first.run.status == "stopped"
    assert isinstance(first.events[-1], Steered)
    assert first.run.data["result"] is None
    assert first.run.read_checkpoint() is not None
    assert not (first.run.folder / "model.safetensors").exists()
    first.run.tell("run")
    second = go_on(first.run)
    assert second.status == "done"
    assert second.of(Scanned) == []
    assert [event for event in second.of(Progress) if event.stage == "scan"] == []
    assert [event.when for event in second.of(Measured)] == ["after"]
    steps = [event.step for event in first.of(Step) + second.of(Step)]
    assert steps == list(range(1, len(steps) + 1))
    assert second.of(Step)[0].step == 14
    assert second.of(Frame) == []
    assert second.result["ba_before"] == whole.result["ba_before"]
    assert second.result["steps"] == whole.result["steps"]
    ours, theirs = (load_file(done.run.folder / "model.safetensors") for done in (second, whole))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def told(done: Done) -> list[int]:
    """Steps of the frames told of, each of which is on disk, and no other."""
    frames = done.of(Frame)
    assert [frame.index for frame in frames] == list(range(done.run.frame_count))
    assert all((done.run.folder / frame.file).is_file() for frame in frames)
    return [frame.step for frame in frames]


def test_stopped_the_frame_in_the_making_is_finished_and_told(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steering, "LOOK_EVERY", 0)
    whole_at = {}

    def pause_and_stop(run: Run, event: Event) -> None:
        if isinstance(event, Step) and event.step in (3, 5):
            run.tell("pause" if event.step == 3 else "stop")
        if isinstance(event, Steered) and event.action == "pause":
            whole_at["pause"] = [frame.step for _, frame in run.events() if isinstance(frame, Frame)]
            run.tell("run")

    stopped = do(root, pause_and_stop)
    assert whole_at["pause"] == [0, 1, 2, 3], "what was seen is told before the pause"
    assert stopped.status == "stopped"
    assert told(stopped) == [0, 1, 2, 3, 4, 5]


def test_a_crash_in_the_training_loses_no_frame(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def break_down(self: Purifier) -> None:
        if self.done == 4:
            raise RuntimeError("out of order")

    monkeypatch.setattr(Purifier, "_average", break_down)
    failed = do(root)
    assert failed.status == "failed"
    assert told(failed) == [0, 1, 2, 3]


def test_stopped_while_scanning_it_scans_again(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steering, "LOOK_EVERY", 0)
    asked: list[str] = []

    def stop(run: Run, event: Event) -> None:
        asked.append(event.type)
        if isinstance(event, Progress) and event.stage == "scan":
            run.tell("stop")

    first = do(root, stop)
    assert first.status == "stopped"
    assert first.of(Scanned) == []
    assert first.run.triggers() is None
    assert first.run.frame_count == 1
    first.run.tell("run")

    def stop_again(run: Run, event: Event) -> None:
        if isinstance(event, StageStarted) and event.stage == "scan":
            run.tell("stop")

    second = go_on(first.run, stop_again)
    assert second.status == "stopped"
    assert second.of(Frame) == second.of(Measured) == [], "the first frame and measurement were kept"


# somebody's own model


@pytest.fixture(scope="module")
def strange(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Done:
    """The same network as a stranger's file: PyTorch's format, names as DataParallel gives them."""
    path = tmp_path_factory.mktemp("weights") / "theirs.pth.tar"
    tensors = load_victim(VICTIM).net.state_dict()
    torch.save({"state_dict": {f"module.{name}": value.clone() for name, value in tensors.items()}}, path)
    return do(root, victim=None, weights=str(path), points=100)


def test_a_strangers_model_is_measured_with_the_reconstructed_trigger(strange: Done) -> None:
    assert strange.status == "done"
    result = strange.result
    assert result["asr_kind"] == "estimated"
    assert {event.asr_kind for event in strange.of(Measured) + strange.of(Frame)} == {"estimated"}
    assert result["target"] == card_of(VICTIM).target
    assert result["asr_before"] > 80
    assert result["asr_after"] < 20
    assert result["arch"] == "small"
    kinds = [type(event) for event in strange.events]
    assert kinds.index(Scanned) < kinds.index(Frame), "there is no trigger to show before the scan"
    assert [event.stage for event in strange.of(StageStarted)] == STAGES
    assert [event.when for event in strange.of(Measured)] == ["before", "after"]


def test_its_weights_keep_the_names_they_came_with(strange: Done) -> None:
    purified = load_file(strange.run.folder / "model.safetensors")
    assert purified.keys() == {f"module.{name}" for name in load_victim(VICTIM).net.state_dict()}


def test_its_card_gives_the_input_scaling_in_numbers(strange: Done) -> None:
    card = json.loads((strange.run.folder / "card.json").read_text())
    scaling = statistics(Inputs.parse(card["normalize"]).scaling)
    assert scaling is not None
    assert card["mean"] == pytest.approx(scaling[0], abs=1e-4)
    assert card["std"] == pytest.approx(scaling[1], abs=1e-4)
    assert card["mean"] == pytest.approx(card_of(VICTIM).mean, abs=0.05), "near what it was trained with"


def test_where_accuracy_does_not_hold_nothing_is_handed_out(root: Path) -> None:
    ruined = do(root, map=False, settings={"lr": 3.0, "average": 0, "back": 0, "epochs": 1})
    assert ruined.status == "done"
    assert ruined.result["ba_held"] is False
    assert ruined.result["back"] is None
    assert ruined.result["ba_after"] < ruined.result["ba_before"] - 2
    assert not (ruined.run.folder / "model.safetensors").exists()


def test_where_a_longer_step_back_holds_accuracy_that_is_handed_out(root: Path) -> None:
    saved = do(root, map=False, settings={"lr": 0.1, "back": 0.0, "epochs": 1})
    assert saved.result["ba_held"] is True
    assert saved.result["back"] >= 0.1
    assert saved.result["ba_after"] >= saved.result["ba_before"] - 2
    assert (saved.run.folder / "model.safetensors").exists()
    assert len(saved.of(Measured)) == 2


@pytest.mark.parametrize(
    ("push", "accuracies", "taken", "held"),
    [
        (1.0, [88.6], 0, True),
        (1.0, [88.1, 88.2, 88.3], 2, True),
        (1.0, [88.1, 88.2, 88.0], 0, True),
        (1.0, [87.0, 88.1, 88.2], 1, True),
        (1.0, [87.0, 87.5, 87.9], 0, False),
        (1.5, [88.1, 88.3], 0, True),
        (0.0, [88.1, 88.3], 0, True),
        (0.0, [87.0, 88.1, 88.3], 1, True),
        (None, [88.1, 88.3], 0, True),
    ],
)
def test_accuracy_is_held_with_room_to_spare_where_the_trigger_is_sure(
    monkeypatch: pytest.MonkeyPatch, push: float | None, accuracies: list[float], taken: int, held: bool
) -> None:
    def measured(ba: float) -> Measured:
        return Measured("after", ba, ba, 1.0, "true", 100, 90)

    monkeypatch.setattr(outcome, "answered", lambda state, model: accuracies[model])
    monkeypatch.setattr(outcome, "accuracy", lambda state, clean: clean)
    monkeypatch.setattr(outcome, "measured", lambda state, model, when, clean: measured(clean))
    purifier = SimpleNamespace(result=lambda best: 0, nearer=lambda: ((k / 10, k) for k in range(1, len(accuracies))))
    state = SimpleNamespace(
        settings=SimpleNamespace(most_drop=2.0, back=0.05), before=measured(90.0), back=0.0,
        triggers=[] if push is None else [SimpleNamespace(push=push)], steering=SimpleNamespace(check=lambda: None),
    )  # fmt: skip
    trying = pipeline._held(state, purifier, Clock(SimpleNamespace(paused_seconds=0.0)))  # type: ignore[arg-type]
    told = []
    while True:
        try:
            told.append(next(trying))
        except StopIteration as end:
            model, after, said = end.value
            break
    assert (model, after.ba, said) == (taken, accuracies[taken], held)
    assert [event.done for event in told] == list(range(1, len(told) + 1)), "each nearer model is told of"
    assert len(told) >= taken
    assert state.back == ((taken / 10 or 0.05) if held else 0.0)


def test_strong_signs_are_reconstructed_from_other_starts_for_the_purification_alone(whole: Done, root: Path) -> None:
    found, more = whole.run.triggers(), whole.run.triggers(again=True)
    assert found is not None
    assert more is not None
    assert set(more.targets.tolist()) == {card_of(VICTIM).target}
    assert len(more.forms) == 2 * len(found.forms)
    for changes in (
        {"scan_only": True},
        {"settings": {"again": 0}},
        {"preset": "published", "settings": {"epochs": 1}},
    ):
        assert do(root, map=False, **changes).run.triggers(again=True) is None


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
def test_of_a_small_set_a_share_is_raised_where_it_may_be(root: Path, order: dict[str, Any], images: int) -> None:
    scan = do(root, map=False, scan_only=True, **order)
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


def test_a_run_calls_the_classes_as_it_was_told(root: Path) -> None:
    words = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    done = do(root, map=False, scan_only=True, class_names=words)
    assert done.run.data["classes"] == words
    assert done.result["target_name"] == words[done.result["target"]]
    failed = do(root, map=False, scan_only=True, class_names=words[:3])
    assert failed.run.data["failure"]["code"] == "class_names_differ"


# other defences


@pytest.fixture(scope="module")
def tuned(root: Path) -> Done:
    return do(root, defence="ft", settings={"epochs": 2, "least": 5})


def test_a_defence_that_needs_no_trigger_is_not_made_to_wait_for_a_scan(tuned: Done) -> None:
    assert tuned.status == "done"
    assert [event.stage for event in tuned.of(StageStarted)] == ["load", "measure", "purify", "verify"]
    assert tuned.of(Scanned) == []
    assert [event.asr_kind for event in tuned.of(Measured)] == ["true", "true"]
    assert tuned.result["asr_before"] > 95
    assert tuned.result["target"] is tuned.result["anomaly_index"] is tuned.result["verdict"] is None
    assert len(tuned.of(Frame)) > 2
    assert tuned.run.data["target"] is None


def test_a_strangers_model_is_scanned_for_its_estimated_rate_whatever_the_defence(
    root: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("weights") / "theirs.safetensors"
    path.write_bytes(card_of(VICTIM).weights.read_bytes())
    done = do(root, victim=None, weights=str(path), map=False, defence="fp", settings={"epochs": 1, "least": 5})
    assert done.status == "done"
    assert len(done.of(Scanned)) == 1
    assert done.result["asr_kind"] == "estimated"


def test_unlearning_uses_what_the_scan_found(root: Path) -> None:
    done = do(root, map=False, defence="nc")
    assert done.result["target"] == card_of(VICTIM).target
    assert done.result["asr_after"] < done.result["asr_before"] - 20


def test_another_defence_that_was_stopped_goes_on_where_it_was(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steering, "LOOK_EVERY", 0)
    order: dict[str, Any] = {
        "map": False,
        "defence": "nad",
        "settings": {"epochs": 2, "teacher_epochs": 1, "batch": 20, "least": 0},
    }

    def stop(run: Run, event: Event) -> None:
        if isinstance(event, Step) and event.step == 5:
            run.tell("stop")

    whole, first = do(root, **order), do(root, stop, **order)
    assert first.status == "stopped"
    first.run.tell("run")
    second = go_on(first.run)
    assert [event.step for event in first.of(Step) + second.of(Step)] == list(range(1, 10))
    assert second.result["asr_after"] == whole.result["asr_after"]


@pytest.mark.parametrize(
    ("verdict", "target", "push"),
    [
        (Verdict("strong", sure=True), None, 1.0),
        (Verdict("strong"), None, 1.5),
        (Verdict("some"), None, 1.5),
        (Verdict("none", hint=True), None, 1.5),
        (Verdict("none", hint=False), None, 0.0),
        (Verdict("none", hint=False), 4, 1.0),
    ],
)
def test_the_less_a_backdoor_shows_the_harder_it_is_pushed_against_unless_nothing_shows(
    root: Path, monkeypatch: pytest.MonkeyPatch, verdict: Verdict, target: int | None, push: float
) -> None:
    monkeypatch.setattr(finding, "judge", lambda found: verdict)
    monkeypatch.setattr(finding, "clear", lambda shares: None)  # whom copies fall back on is another matter
    done = do(root, map=False, scan_only=True, target=target)
    found = done.run.triggers()
    assert found is not None
    assert set(found.push.tolist()) == {push}
    assert done.of(Scanned)[0].verdict == verdict.grade
