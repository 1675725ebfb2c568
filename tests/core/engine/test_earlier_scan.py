"""A scan is taken over by a purification of the same files, made in the same way, and refused to any other."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from core.engine.finding import SCAN_UNITS
from core.events import Progress, Scanned, Searched, StageStarted
from core.runs.record import Run
from core.triggers.reconstructed import Confidence, from_record
from core.victims import card_of
from tests.core.whole_runs import STAGES, VICTIM, Done, do, stop_at

OWN: dict[str, Any] = {"victim": None, "map": False}
SHORT: dict[str, Any] = {"settings": {"epochs": 1, "restarts": 0}}


@pytest.fixture
def put_back(stranger: Path) -> Any:
    before = stranger.read_bytes()
    yield
    stranger.write_bytes(before)


def test_a_scan_tells_how_far_each_class_is(strange_scan: Done) -> None:
    told = strange_scan.of(Searched)
    assert {len(event.rates) for event in told} == {len(event.sizes) for event in told} == {10}
    first = [event for event in told if event.number == 1]
    assert sum(size is not None for size in first[0].sizes) < sum(size is not None for size in first[-1].sizes)
    assert [event.number for event in told] == sorted(event.number for event in told)


def test_a_purification_takes_the_scan_over_and_does_not_search_again(strange_scan: Done, strange: Done) -> None:
    assert strange.status == "done"
    assert [event.stage for event in strange.of(StageStarted)] == STAGES
    assert strange.of(Scanned) == strange_scan.of(Scanned)
    assert not strange.of(Searched)
    told = [event.done for event in strange.of(Progress) if event.stage == "scan"]
    assert all(done > SCAN_UNITS for done in told), "there are only the restarts, which a scan makes none of"
    mine, theirs = strange.run.triggers(), strange_scan.run.triggers()
    assert mine is not None
    assert theirs is not None
    assert np.array_equal(mine.patterns, theirs.patterns)
    assert strange.result["target"] == strange_scan.result["target"]


def test_triggers_that_a_purification_gave_up_are_taken_over_as_the_scan_left_them(
    root: Path, stranger: Path, strange_scan: Done
) -> None:
    gave_up = Run(shutil.copytree(strange_scan.run.folder, root / "gave-up"))
    found = gave_up.triggers()
    assert found is not None
    gave_up.write_triggers(found._replace(push=np.zeros_like(found.push)))  # as it does when it begins again
    gave_up.update(steps_before=40)
    done = do(root, stop_at("purify"), weights=str(stranger), scan_of="gave-up", **OWN, **SHORT)
    assert done.of(Scanned) == strange_scan.of(Scanned)
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
    root: Path, stranger: Path, strange_scan: Done, changes: dict[str, Any], code: str
) -> None:
    found = strange_scan.result
    named = {} if "victim" in changes else {"arch": found["arch"], "normalize": found["normalize"]}
    done = do(root, **{"weights": str(stranger), "scan_of": strange_scan.run.id} | OWN | named | changes)
    assert (done.status, done.run.data["failure"]["code"]) == ("failed", code)
    assert [event.stage for event in done.of(StageStarted)] == ["load"]


@pytest.mark.usefixtures("put_back")
def test_other_weights_in_its_place_are_refused_by_the_name_of_the_scan(
    root: Path, stranger: Path, strange_scan: Done
) -> None:
    stranger.write_bytes(card_of("digits-blended").weights.read_bytes())
    done = do(root, weights=str(stranger), scan_of=strange_scan.run.id, **OWN)
    failure = done.run.data["failure"]
    assert (done.status, failure["code"], failure["facts"]["run"]) == ("failed", "weights_changed", strange_scan.run.id)


def test_a_run_that_is_not_there_or_did_not_scan_is_no_scan(root: Path, stranger: Path, strange_scan: Done) -> None:
    gone = do(root, weights=str(stranger), scan_of="20200101-000000-gone-0000", **OWN)
    assert gone.run.data["failure"]["code"] == "run_not_found"
    unfinished = Run(gone.run.folder)
    failed = do(root, weights=str(stranger), scan_of=unfinished.id, **OWN)
    assert failed.run.data["failure"]["code"] == "scan_not_done"
