"""What a run makes of its scan: what it trains against, and what becomes of a precaution that costs too much."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

from core.data import load
from core.events import Event, Frame, Measured, Scanned, StageStarted, Step
from core.runs import record
from core.runs.event_log import EventWriter
from core.runs.record import Run
from core.scan.verdict import Grade
from core.triggers.reconstructed import PUSH, Confidence, Reconstructed, from_record, to_record
from core.victims import card_of
from tests.core.whole_runs import SPEC, VICTIM, Done, do, go_on, stop_at

NAMED = 7


def test_strong_signs_are_reconstructed_from_other_starts_for_the_purification_alone(whole: Done, root: Path) -> None:
    found, more = whole.run.triggers(), whole.run.triggers("restarts")
    assert found is not None
    assert more is not None
    assert set(more.targets.tolist()) == {card_of(VICTIM).target}
    assert set(found.forms) < set(more.forms), "in further forms too"
    assert all(more.forms.tolist().count(form) <= 2 for form in more.forms)
    for changes in ({"scan_only": True}, {"settings": {"restarts": 0}}, {"preset": "published"}):
        done = do(root, stop_at("purify"), scan_from=whole.run, map=False, **changes)
        assert done.run.triggers("restarts") is None


def test_other_classes_that_stand_out_are_reconstructed_from_other_starts_too(
    whole: Done, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two triggers of one form and two targets, as the scan leaves them; no size is too large."""
    monkeypatch.setattr("core.engine.finding.MAX_SIZE_RATIO", math.inf)
    run = record.create(SPEC, root=tmp_path)
    shutil.copy(whole.run.folder / "events.jsonl", run.folder)
    images = load("digits")
    picture = images.x_train[images.y_train == NAMED][0].float() / 255
    found = whole.run.triggers()
    assert found is not None
    first = from_record(found, torch.device("cpu"))[0]
    second = Reconstructed(first.form, picture, torch.ones(1, 16, 16), NAMED)
    run.write_triggers(to_record([first, second], Confidence.SURE))
    done = do(tmp_path, stop_at("purify"), scan_from=run, map=False)
    more = done.run.triggers("restarts")
    assert more is not None
    assert [*dict.fromkeys(more.targets.tolist())] == [first.target, NAMED]
    assert more.targets.tolist().count(NAMED) > 1


def test_the_class_that_was_named_is_on_record_with_the_confidence_in_its_triggers(whole: Done) -> None:
    (event,) = whole.of(Scanned)
    found = whole.run.triggers()
    assert found is not None
    assert (event.target, event.verdict) == (card_of(VICTIM).target, "strong")
    assert set(found.push.tolist()) == {PUSH[Confidence.SURE]}
    assert set(found.targets.tolist()) == {event.target}


def scanned_as(whole: Done, grade: Grade, folder: Path) -> Run:
    """The same run up to its scan, which named another class, with this grade and a doubtful trigger.

    The trigger is a whole picture of that class: a model that is trained not to answer it with its class loses more
    accuracy than by random stamps.
    """
    run = record.create(SPEC, root=folder)
    with EventWriter(run.folder / "events.jsonl") as log:
        for moment, event in whole.run.events():
            if isinstance(event, Scanned):
                named = replace(event, target=NAMED, verdict=grade, facts={"gap": 1.0, "fallen_back": 81.0})
                log.append(moment, named)
                break
            if isinstance(event, (StageStarted, Measured)):
                log.append(moment, event)
    images = load("digits")
    picture = images.x_train[images.y_train == NAMED][0].float() / 255
    trigger = Reconstructed("mask", picture, torch.ones(1, 16, 16), NAMED)
    run.write_triggers(to_record([trigger], Confidence.DOUBTFUL))
    return run


@pytest.fixture(scope="module")
def wary(whole: Done, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """No sign, and a class to be wary of; to train against its trigger costs too much."""
    return scanned_as(whole, "none", tmp_path_factory.mktemp("scanned"))


# between what either attempt costs, 11 and 3 points; it is not cured so soon
SETTINGS = {"batch": 8, "anneal": 5, "rounds": 0, "keep": 0.0, "most_drop": 6.0}
SHORT: dict[str, Any] = {"map": False, "settings": SETTINGS, "accept": "not-cured"}


class Twice(NamedTuple):
    """``whole``: a run with two attempts, from start to end; ``begun``: one that was stopped at its first step."""

    whole: Done
    begun: Path

    @property
    def first_steps(self) -> int:
        """Steps of the first attempt."""
        return int(self.whole.run.data["steps_before"])


def again(folder: Path, place: Path) -> Run:
    """A copy of a run that was stopped, to go on with."""
    run = Run(shutil.copytree(folder, place / folder.name))
    run.tell("run")
    return run


def stop_at_step(number: int) -> Callable[[Run, Event], None]:
    def stop(run: Run, event: Event) -> None:
        if isinstance(event, Step) and event.step == number:
            run.tell("stop")

    return stop


def steps_of(done: Done) -> list[int]:
    """Steps on record, whoever did them."""
    return [event.step for _, event in done.run.events() if isinstance(event, Step)]


@pytest.fixture(scope="module")
def twice(wary: Run, tmp_path_factory: pytest.TempPathFactory) -> Twice:
    begun = do(tmp_path_factory.mktemp("begun"), stop_at("purify"), scan_from=wary, **SHORT)
    assert begun.status == "stopped"
    return Twice(go_on(again(begun.run.folder, tmp_path_factory.mktemp("whole"))), begun.run.folder)


def test_a_precaution_that_costs_too_much_is_taken_again_with_stamps_alone(twice: Twice) -> None:
    whole = twice.whole
    assert whole.result["ba_held"] is True
    assert whole.result["stamps"] == "alone"
    assert whole.result["target"] == whole.result["target_found"] == NAMED
    assert whole.result["evidence"]["fallen_back"] == 81.0
    assert (whole.run.folder / "model.safetensors").is_file()
    assert [event.stage for event in whole.of(StageStarted)] == ["load", "measure", "scan", "purify", "verify"]
    steps = steps_of(whole)
    assert steps == list(range(1, len(steps) + 1)), "those of the second attempt go on where the first ended"
    assert whole.result["steps"] == len(steps)
    assert 0 < twice.first_steps < len(steps)
    assert whole.result["given_up"] is True


def test_with_a_map_the_frames_go_on_too(wary: Run, tmp_path: Path) -> None:
    done = do(tmp_path, stop_at("verify"), scan_from=wary, points=50, live=False, settings=SETTINGS)
    frames = [event.step for event in done.of(Frame)]
    assert frames == sorted(frames)
    assert frames[-1] > done.run.data["steps_before"]


def ends_as(run: Run, whole: Done) -> Done:
    """The first worker's run, gone on with by a second: nothing is missing, nothing is told twice."""
    second = go_on(run, stop_at("verify"))
    assert [event.stage for event in second.of(StageStarted)][-2:] == ["purify", "verify"]
    assert steps_of(second) == list(range(1, whole.result["steps"] + 1))
    assert second.run.data["steps_before"] == whole.run.data["steps_before"]
    (ours, where), (theirs, there) = second.state, whole.state
    assert where == there
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    return second


@pytest.fixture(scope="module")
def first_over(twice: Twice, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was stopped after the last step of its first attempt, before it was measured."""
    run = again(twice.begun, tmp_path_factory.mktemp("first"))
    assert go_on(run, stop_at_step(twice.first_steps)).status == "stopped"
    assert "steps_before" not in run.data
    return run.folder


@pytest.mark.parametrize("left", ["measured", "noted", "without a checkpoint", "without confidence"])
def test_a_crash_between_the_attempts_loses_nothing(twice: Twice, first_over: Path, tmp_path: Path, left: str) -> None:
    """What a worker leaves that is killed between one change of the record and the next."""
    run = again(first_over, tmp_path)
    if left != "measured":
        run.update(steps_before=twice.first_steps)
    if left.startswith("without"):
        run.drop_checkpoint()
    if left == "without confidence":
        found = run.triggers()
        assert found is not None
        run.write_triggers(found._replace(push=np.zeros_like(found.push)))
    ends_as(run, twice.whole)


def test_stopped_in_the_second_attempt_it_goes_on_there(twice: Twice, tmp_path: Path) -> None:
    last = twice.first_steps + 13
    first = go_on(again(twice.begun, tmp_path), stop_at_step(last))
    assert first.status == "stopped"
    first.run.tell("run")
    assert ends_as(first.run, twice.whole).of(Step)[0].step == last + 1


def test_a_sign_is_not_given_up_for_the_sake_of_accuracy(whole: Done, twice: Twice, tmp_path: Path) -> None:
    scanned = scanned_as(whole, "some", tmp_path / "scanned")
    done = do(tmp_path, stop_at("verify"), scan_from=scanned, **SHORT)
    assert done.of(StageStarted)[-1].stage == "verify"
    assert "steps_before" not in done.run.data
    assert len(done.of(Step)) == done.of(Step)[-1].total == twice.first_steps, "the same steps, at the same cost"
