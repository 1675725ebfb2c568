"""A scan is taken over by a purification of the same files, made in the same way, and refused to any other."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from core.events import Progress, Scanned, Searched, StageStarted
from core.runs.record import Run
from core.triggers.reconstructed import Confidence, from_record
from core.victims import card_of
from tests.core.whole_runs import STAGES, VICTIM, Done, do, stop_at

OWN: dict[str, Any] = {"victim": None, "map": False}
SHORT: dict[str, Any] = {"settings": {"epochs": 1, "restarts": 0}}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "theirs.safetensors"
    path.write_bytes(card_of(VICTIM).weights.read_bytes())
    return path


@pytest.fixture(scope="module")
def scan(root: Path, weights: Path) -> Done:
    return do(root, weights=str(weights), scan_only=True, **OWN)


@pytest.fixture
def put_back(weights: Path) -> Any:
    before = weights.read_bytes()
    yield
    weights.write_bytes(before)


def test_a_scan_tells_how_far_each_class_is(scan: Done) -> None:
    told = scan.of(Searched)
    assert {len(event.rates) for event in told} == {len(event.sizes) for event in told} == {10}
    first = [event for event in told if event.number == 1]
    assert sum(size is not None for size in first[0].sizes) < sum(size is not None for size in first[-1].sizes)
    assert [event.number for event in told] == sorted(event.number for event in told)


def test_a_purification_takes_the_scan_over_and_does_not_search_again(root: Path, weights: Path, scan: Done) -> None:
    done = do(root, weights=str(weights), scan_of=scan.run.id, **OWN, **SHORT)
    assert done.status == "done"
    assert [event.stage for event in done.of(StageStarted)] == STAGES
    assert done.of(Scanned) == scan.of(Scanned)
    assert not done.of(Searched)
    assert not [event for event in done.of(Progress) if event.stage == "scan"]
    mine, theirs = done.run.triggers(), scan.run.triggers()
    assert mine is not None
    assert theirs is not None
    assert np.array_equal(mine.patterns, theirs.patterns)
    assert done.result["target"] == scan.result["target"]


def test_triggers_that_a_purification_gave_up_are_taken_over_as_the_scan_left_them(
    root: Path, weights: Path, scan: Done
) -> None:
    gave_up = Run(shutil.copytree(scan.run.folder, root / "gave-up"))
    found = gave_up.triggers()
    assert found is not None
    gave_up.write_triggers(found._replace(push=np.zeros_like(found.push)))  # as it does when it begins again
    gave_up.update(steps_before=40)
    done = do(root, stop_at("purify"), weights=str(weights), scan_of="gave-up", **OWN, **SHORT)
    assert done.of(Scanned) == scan.of(Scanned)
    mine = done.run.triggers()
    assert mine is not None
    assert {trigger.confidence for trigger in from_record(mine, torch.device("cpu"))} == {Confidence.DOUBTFUL}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"seed": 1}, "scan_otherwise"),
        ({"target": 3}, "scan_otherwise"),
        ({"clean_budget": 60}, "scan_otherwise"),
        ({"victim": VICTIM, "weights": None}, "scan_of_others"),
    ],
)
def test_a_scan_made_otherwise_is_refused_before_anything_is_measured(
    root: Path, weights: Path, scan: Done, changes: dict[str, Any], code: str
) -> None:
    done = do(root, **{"weights": str(weights), "scan_of": scan.run.id} | OWN | changes)
    assert (done.status, done.run.data["failure"]["code"]) == ("failed", code)
    assert [event.stage for event in done.of(StageStarted)] == ["load"]


@pytest.mark.usefixtures("put_back")
def test_other_weights_in_its_place_are_refused_by_the_name_of_the_scan(root: Path, weights: Path, scan: Done) -> None:
    weights.write_bytes(card_of("digits-blended").weights.read_bytes())
    done = do(root, weights=str(weights), scan_of=scan.run.id, **OWN)
    failure = done.run.data["failure"]
    assert (done.status, failure["code"], failure["facts"]["run"]) == ("failed", "weights_changed", scan.run.id)


def test_a_run_that_is_not_there_or_did_not_scan_is_no_scan(root: Path, weights: Path, scan: Done) -> None:
    gone = do(root, weights=str(weights), scan_of="20200101-000000-gone-0000", **OWN)
    assert gone.run.data["failure"]["code"] == "run_not_found"
    unfinished = Run(gone.run.folder)
    failed = do(root, weights=str(weights), scan_of=unfinished.id, **OWN)
    assert failed.run.data["failure"]["code"] == "scan_not_done"
