"""Whole runs on somebody's own model: the estimated rate, and what is handed back with it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from safetensors.torch import load_file

from core.data import load
from core.data.inputs import Inputs, statistics
from core.engine.statistics import as_examined
from core.engine.subject import load_subject
from core.events import Event, Frame, Measured, Scanned, StageStarted
from core.models.weights import save_weights
from core.runs import record
from core.runs.record import Run
from core.victims import card_of, load_victim
from tests.core.tiny import Tiny
from tests.core.whole_runs import SPEC, STAGES, VICTIM, Done, do, go_on, stop_at


def test_a_strangers_model_is_measured_with_the_reconstructed_trigger(strange: Done) -> None:
    assert strange.status == "done"
    result = strange.result
    assert result["asr_kind"] == "estimated"
    assert {event.asr_kind for event in strange.of(Measured) + strange.of(Frame)} == {"estimated"}
    assert result["target"] == card_of(VICTIM).target
    assert result["asr_before"] > 50, "81 to 88"
    assert result["asr_after"] < 20, "0"
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


def test_a_strangers_model_is_scanned_for_its_estimated_rate_whatever_the_defence(
    root: Path, stranger: Path, strange_scan: Done
) -> None:
    order = {"map": False, "defence": "fp", "settings": {"epochs": 1, "least": 5}, "scan_of": strange_scan.run.id}
    done = do(root, stop_at("verify"), victim=None, weights=str(stranger), **order)
    assert [event.stage for event in done.of(StageStarted)] == STAGES
    assert len(done.of(Scanned)) == 1
    assert [(event.when, event.asr_kind) for event in done.of(Measured)] == [("before", "estimated")]


def test_a_run_that_goes_on_with_another_model_ends_there(root: Path, tmp_path: Path) -> None:
    path = tmp_path / "theirs.safetensors"
    path.write_bytes(card_of(VICTIM).weights.read_bytes())

    def stop(run: Run, event: Event) -> None:
        if isinstance(event, StageStarted) and event.stage == "measure":
            run.tell("stop")

    first = do(root, stop, victim=None, weights=str(path), map=False, scan_only=True)
    assert first.status == "stopped"
    assert first.run.data["inputs"] == {"weights": card_of(VICTIM).sha256}
    path.write_bytes(card_of("digits-blended").weights.read_bytes())
    first.run.tell("run")
    second = go_on(first.run)
    assert second.status == "failed"
    assert second.run.data["failure"]["code"] == "weights_changed"
    assert second.of(Measured) == []


def test_what_was_handed_out_is_on_record(strange: Done) -> None:
    card = json.loads((strange.run.folder / "card.json").read_text())
    data = strange.run.data
    assert data["outputs"] == {name: entry["sha256"] for name, entry in card["output"].items()}
    assert data["inputs"] == {"weights": card["input"]["sha256"]}
    assert data["outputs"]["model.pt"] == hashlib.sha256((strange.run.folder / "model.pt").read_bytes()).hexdigest()


def test_a_sleeping_backdoor_is_named_and_the_record_says_why_it_was_awake(
    sleeping: Tiny, root: Path, tmp_path: Path
) -> None:
    path = tmp_path / "asleep.safetensors"
    save_weights(path, sleeping.model.net.state_dict())
    done = do(root, victim=None, weights=str(path), scan_only=True, map=False)
    assert (done.result["target"], done.result["verdict"]) == (sleeping.target, "strong")
    assert done.result["evidence"]["statistics"] > 0.2
    assert done.result["asr_before"] > 50, "85 to 92"
    images = load("digits")
    subject = load_subject(done.run.spec, images)
    examined = as_examined(done.run, subject, images)
    assert examined.moved == done.result["evidence"]["statistics"], "whoever opens the run sees the model it examined"
    assert as_examined(record.create(SPEC, root=root), subject, images) is subject, "no scan is on record there"
