"""A run whose proof names a further class: it purifies again, and goes on at any point to the same end.

The scan of these runs is made up: it names class 7 by a trigger that is none. So the victim's own backdoor, towards
class 0, is what only the new scan of the proof can name.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from safetensors.torch import load_file

from core.data import load
from core.engine.finding import Budget
from core.engine.state import State
from core.errors import BadInput
from core.events import Event, Finished, Measured, Repeated, Scanned, StageStarted, Step, Verified
from core.report.facts import gather
from core.report.proof import next_step
from core.runs import record
from core.runs.event_log import EventWriter
from core.runs.record import Run
from core.scan.inversion import Inverted
from core.scan.scan import Scan, suspicion
from core.triggers.reconstructed import Confidence, Reconstructed, to_record
from core.victims import card_of
from tests.core.whole_runs import SPEC, VICTIM, Done, do, go_on

NAMED, HIDDEN = 7, card_of(VICTIM).target
# next to nothing is trained against class 7, so that the model stays as it is
SETTINGS = {"lr": 1e-7, "epochs": 1, "anneal": 1, "batch": 8, "rounds": 0, "restarts": 0}
Stop = Callable[[Run, Event], None]


@pytest.fixture(scope="module")
def named(strange_scan: Done, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A stranger's model up to a scan that names class 7 by a corner of a picture."""
    run = record.create(SPEC, root=tmp_path_factory.mktemp("scanned"))
    with EventWriter(run.folder / "events.jsonl") as log:
        for moment, event in strange_scan.run.events():
            if isinstance(event, Scanned):
                octaves = [5.0 if label == NAMED else 0.5 for label in range(10)]
                log.append(moment, replace(event, target=NAMED, suspicion=octaves, verdict="strong", others=[]))
                break
            if isinstance(event, StageStarted):
                log.append(moment, event)
    images = load("digits")
    mask = torch.zeros(1, 16, 16)
    mask[0, :3, :3] = 1.0
    picture = images.x_train[images.y_train == NAMED][0].float() / 255
    run.write_triggers(to_record([Reconstructed("mask", picture, mask, NAMED)], Confidence.SURE))
    return run


class Order(NamedTuple):
    """What all runs here have in common."""

    named: Run
    stranger: Path

    def run(self, root: Path, stop: Stop = lambda run, event: None, **changes: Any) -> Done:
        given = {"victim": None, "weights": str(self.stranger), "map": False, "settings": SETTINGS}
        return do(root, stop, scan_from=self.named, **given | changes)


@pytest.fixture(scope="module")
def order(named: Run, stranger: Path) -> Order:
    return Order(named, stranger)


def again(folder: Path, place: Path) -> Run:
    """A copy of a run that was stopped, to go on with."""
    run = Run(shutil.copytree(folder, place / folder.name))
    run.tell("run")
    return run


def second(stage: str) -> Stop:
    """Has a run stopped as this stage of its second purification begins."""
    begun: list[Event] = []

    def stop(run: Run, event: Event) -> None:
        begun.extend([event] if isinstance(event, Repeated) or begun else [])
        if begun and isinstance(event, StageStarted) and event.stage == stage:
            run.tell("stop")

    return stop


@pytest.fixture(scope="module")
def begun(order: Order, tmp_path_factory: pytest.TempPathFactory) -> Done:
    """Stopped as its second purification began."""
    return order.run(tmp_path_factory.mktemp("begun"), second("scan"))


@pytest.fixture(scope="module")
def trained(begun: Done, tmp_path_factory: pytest.TempPathFactory) -> Done:
    """Gone on with, and stopped as the second proof began."""
    return go_on(again(begun.run.folder, tmp_path_factory.mktemp("trained")), second("verify"))


@pytest.fixture(scope="module")
def over(trained: Done, tmp_path_factory: pytest.TempPathFactory) -> Done:
    """Gone on with, to its end."""
    return go_on(again(trained.run.folder, tmp_path_factory.mktemp("over")))


def steps_of(run: Run) -> list[int]:
    return [event.step for _, event in run.events() if isinstance(event, Step)]


def assert_same_state(done: Done, other: Done) -> None:
    (ours, where), (theirs, there) = done.state, other.state
    assert where == there
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_a_class_that_only_the_proof_names_is_purified_in_the_same_run(begun: Done, trained: Done, over: Done) -> None:
    (verified,) = begun.of(Verified)
    assert verified.evidence["scan"]["target"] == HIDDEN
    assert [(event.number, event.target) for event in begun.of(Repeated)] == [(2, HIDDEN)]
    stages = [event.stage for event in begun.of(StageStarted)]
    assert stages == ["load", "measure", "scan", "purify", "verify", "scan"]
    further = over.run.triggers("trigger", 2)
    assert further is not None
    assert set(further.targets.tolist()) == {HIDDEN}
    assert steps_of(over.run) == list(range(1, over.result["steps"] + 1)), "those of the second go on from the first"
    last = over.of(Verified)[-1]
    assert HIDDEN in last.evidence["scan"]["suspects"]
    assert last.evidence["others"]["target"] == HIDDEN
    assert last.evidence["others"]["later"] is True
    assert "second" not in last.evidence["scan"], "no class is left that had not been purified"


def test_the_result_tells_of_both_and_the_record_ends_with_the_one_that_counts(over: Done) -> None:
    first, last = over.result["purifications"]
    assert (first["target"], first["second"]) == (NAMED, HIDDEN)
    assert (last["target"], last["second"]) == (HIDDEN, None)
    assert first["steps"] < last["steps"] == over.result["steps"]
    (kept,) = (one for one in (first, last) if one["kept"])
    assert kept["cure"] == over.result["cure"] == over.of(Verified)[-1].cure
    assert kept["asr_after"] == over.result["asr_after"] == over.of(Measured)[-1].asr
    assert isinstance(over.events[-1], Finished)
    assert over.result["seconds"].keys() == {"load", "measure", "scan", "purify", "verify"}


def test_stopped_in_the_second_purification_it_goes_on_to_the_same_weights(
    begun: Done, trained: Done, tmp_path: Path
) -> None:
    last = len(steps_of(begun.run)) + 3

    def stop(run: Run, event: Event) -> None:
        if isinstance(event, Step) and event.step == last:
            run.tell("stop")

    first = go_on(again(begun.run.folder, tmp_path), stop)
    assert first.status == "stopped"
    first.run.tell("run")
    then = go_on(first.run, second("verify"))
    assert then.of(Step)[0].step == last + 1
    assert steps_of(then.run) == steps_of(trained.run)
    assert_same_state(then, trained)


@pytest.mark.parametrize("left", ["noted", "no weights", "triggers", "triggers of another class"])
def test_a_crash_between_the_purifications_loses_nothing(
    begun: Done, trained: Done, order: Order, tmp_path: Path, left: str
) -> None:
    """What a worker leaves that is killed between one change of the record and the next."""
    run = again(begun.run.folder, tmp_path)
    if left == "noted":  # the checkpoint of the first purification is still there, and the second was not told of
        run.write_checkpoint({"model.fc.weight": torch.zeros(1)}, {"done": 5})
        log = run.folder / "events.jsonl"
        lines = log.read_text().splitlines()
        end = next(number for number, line in enumerate(lines) if '"repeated"' in line)
        log.write_text("\n".join(lines[:end]) + "\n")
    elif left == "no weights":  # the first is done again
        (run.folder / "checkpoints" / "purified-1.safetensors").write_bytes(b"cut short")
    else:
        further = trained.run.triggers("trigger", 2)
        assert further is not None
        if left != "triggers":
            further = further._replace(targets=further.targets * 0 + NAMED)
        run.write_triggers(further, "trigger", 2)
    then = go_on(run, second("verify"))
    assert steps_of(then.run) == steps_of(trained.run)
    assert_same_state(then, trained)


def test_where_the_second_diverges_the_first_stands(
    begun: Done, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def diverging(state: State, budget: Budget) -> Iterator[Event]:
        yield StageStarted("scan")
        raise BadInput("training_diverged", "The training diverged.")

    monkeypatch.setattr("core.engine.pipeline.find_again", diverging)
    done = go_on(again(begun.run.folder, tmp_path))
    assert done.status == "done"
    (only,) = done.result["purifications"]
    assert (only["target"], only["second"], only["kept"]) == (NAMED, HIDDEN, True)


def test_where_no_trigger_of_the_class_works_the_first_stands(
    begun: Done, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def scan(*given: Any, **more: Any) -> Iterator[Any]:
        """Names another class; towards the one that the proof named, what was found turns a third of the images."""
        yield 1, 1
        sizes = torch.tensor([30.0] * 10)
        rates = torch.tensor([0.3 if label == HIDDEN else 1.0 for label in range(10)])
        sizes[NAMED] = 3.0
        form = Inverted("pixel", None, torch.zeros(10, 3, 16, 16), sizes, rates)
        return Scan((form,), suspicion((form,)), NAMED)

    monkeypatch.setattr("core.scan.second_draw.scan", scan)
    done = go_on(again(begun.run.folder, tmp_path))
    assert done.status == "done"
    assert done.run.triggers("trigger", 2) is None
    assert [event.stage for event in done.of(StageStarted)][-1] == "scan", "nothing was trained, and nothing proven"
    (only,) = done.result["purifications"]
    assert (only["target"], only["second"], only["kept"]) == (NAMED, HIDDEN, True)
    assert done.result["ba_after"] == begun.of(Measured)[-1].ba
    facts = gather(done.run)
    assert next_step(facts.proof, facts.held, facts.further) == "cure.next.further.tried"


def test_where_the_second_loses_too_much_accuracy_the_first_is_handed_out(begun: Done, tmp_path: Path) -> None:
    run = again(begun.run.folder, tmp_path)
    harsh = SETTINGS | {"lr": 0.05, "keep": 0.0, "most_drop": 2.0}
    run.update(spec=run.data["spec"] | {"settings": harsh, "accept": "not-cured"})
    done = go_on(run)
    assert done.status == "done"
    first, second = done.result["purifications"]
    assert (first["kept"], first["ba_held"], second["kept"], second["ba_held"]) == (True, True, False, False)
    assert second["ba_after"] < done.result["ba_before"] - 2.0
    kept, lost = begun.of(Measured)[-1], done.of(Measured)
    assert done.result["ba_after"] == kept.ba == lost[-1].ba, "the record ends with the figures of the one that counts"
    assert done.result["proof"] == begun.of(Verified)[-1].evidence
    assert (done.result["ba_held"], done.result["steps"]) == (True, second["steps"])
    weights, was = load_file(run.folder / "model.safetensors"), run.read_purified(1)
    assert was is not None
    assert sorted(float(one.double().sum()) for one in weights.values()) == pytest.approx(
        sorted(float(one.double().sum()) for one in was.values())
    )
    facts = gather(done.run)
    assert next_step(facts.proof, facts.held, facts.further) == "cure.next.further.tried"


def test_a_model_without_a_sign_is_purified_again_too(order: Order, tmp_path: Path) -> None:
    """As a precaution it is purified against class 7, and the proof's new scan names the class of its backdoor."""
    named = Run(shutil.copytree(order.named.folder, tmp_path / "unsigned"))
    log = named.folder / "events.jsonl"
    log.write_text(log.read_text().replace('"verdict": "strong"', '"verdict": "none"'))
    done = Order(named, order.stranger).run(tmp_path, second("scan"))
    (scanned,) = [event for _, event in done.run.events() if isinstance(event, Scanned)]
    assert scanned.verdict == "none"
    assert done.of(Verified)[-1].evidence["scan"]["second"] is True
    assert [(event.number, event.target) for event in done.of(Repeated)] == [(2, HIDDEN)]


@pytest.mark.parametrize("changes", [{"repeats": 0}, {"target": NAMED}, {"defence": "ft"}])
def test_it_ends_with_its_first_proof_where_it_may_not_purify_again(
    order: Order, tmp_path: Path, changes: dict[str, Any]
) -> None:
    """By the order; for a target that the user gave; with a defence that does not work with triggers."""
    if "defence" in changes:
        changes = changes | {"settings": {"lr": 1e-7, "epochs": 1, "least": 1}}
    done = order.run(tmp_path, **changes)
    assert done.status == "done"
    assert done.of(Repeated) == []
    assert len(done.result["purifications"]) == 1
    assert done.result["proof"]["scan"]["second"] is True, "the next step says so"
