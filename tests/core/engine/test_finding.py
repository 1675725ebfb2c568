"""What is made of a scan: whom it names, how hard that is pushed against, and what unlearning adds."""

from __future__ import annotations

import shutil
from collections.abc import Generator, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pytest
import torch
from torch import Tensor

from core.compute.returning import Returning
from core.data import load
from core.data.budget import clean_budget
from core.engine import finding, outcome
from core.engine.state import State
from core.events import Event, Frame, Measured, Progress, Scanned, StageStarted, Step
from core.models.classifier import Classifier
from core.runs import steering
from core.runs.record import Run
from core.scan import unlearned
from core.scan.scan import Scan, scan
from core.scan.verdict import Verdict
from core.triggers.reconstructed import PUSH, Confidence
from core.victims import card_of, load_victim
from tests.core.whole_runs import SPEC, VICTIM, Done, do, go_on, stop_at

NAMED = 7


@cache
def told_by_the_scan() -> tuple[list[tuple[int, int]], Scan]:
    """All that the scan of these runs yields, and its result; it is the same for each of them, and made once."""
    images = load("digits")
    chosen = clean_budget(images.y_train, SPEC.clean_budget, images.num_classes, SPEC.seed)
    search = Returning(scan(load_victim(VICTIM), images.x_train[chosen], seed=SPEC.seed))
    return list(search), search.result


def scan_again(*_: Any, **__: Any) -> Generator[tuple[int, int], None, Scan]:
    told, found = told_by_the_scan()
    yield from told
    return found


@pytest.fixture(scope="module", autouse=True)
def one_scan(whole: Done) -> Iterator[None]:
    """From here on; the whole run has scanned for itself."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(finding, "scan", scan_again)
        yield


def falls_back(monkeypatch: pytest.MonkeyPatch, share: float, verdict: Verdict) -> list[str]:
    """The scan's verdict is this one, and copies fall back on class 7 in this share; lists how often they are asked."""
    asked: list[str] = []

    def shares(*_: Any, **__: Any) -> Generator[tuple[int, int], None, Tensor]:
        asked.append("asked")
        yield 5, 10
        yield 10, 10
        return torch.nn.functional.one_hot(torch.tensor(NAMED), 10) * share

    monkeypatch.setattr(finding, "fallback_shares", shares)
    monkeypatch.setattr(finding, "can_unlearn", lambda model, images: True)  # of the digits there are too few
    monkeypatch.setattr(finding, "judge", lambda found: verdict)
    return asked


def scanned(done: Done) -> tuple[Scanned, set[float], set[int]]:
    """The event, and push and target of the triggers on record."""
    triggers = done.run.triggers()
    assert triggers is not None
    return done.of(Scanned)[0], set(triggers.push.tolist()), set(triggers.targets.tolist())


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
    monkeypatch.setattr(finding, "dominant_class", lambda shares: None)  # whom copies fall back on is another matter
    done = do(root, map=False, scan_only=True, target=target)
    found = done.run.triggers()
    assert found is not None
    assert set(found.push.tolist()) == {push}
    assert done.of(Scanned)[0].verdict == verdict.grade


def test_strong_signs_are_reconstructed_from_other_starts_for_the_purification_alone(whole: Done, root: Path) -> None:
    found, more = whole.run.triggers(), whole.run.triggers("restarts")
    assert found is not None
    assert more is not None
    assert set(more.targets.tolist()) == {card_of(VICTIM).target}
    assert len(more.forms) == 2 * len(found.forms)
    for changes in ({"scan_only": True}, {"settings": {"restarts": 0}}, {"preset": "published"}):
        assert do(root, stop_at("purify"), map=False, **changes).run.triggers("restarts") is None


@pytest.mark.parametrize("hint", [True, False])
def test_without_a_sign_the_class_that_copies_fall_back_on_is_the_one_to_be_wary_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hint: bool
) -> None:
    falls_back(monkeypatch, 0.81, Verdict("none", {"gap": 1.0}, hint=hint))
    done = do(tmp_path, map=False, scan_only=True)
    event, push, targets = scanned(done)
    assert (event.target, event.verdict, event.facts) == (NAMED, "none", {"gap": 1.0, "fallen_back": 81.0})
    assert (push, targets) == ({PUSH[Confidence.DOUBTFUL]}, {NAMED})
    progress = [event for event in done.of(Progress) if event.stage == "scan"]
    assert [event.done for event in progress] == sorted(event.done for event in progress)
    assert all(event.done <= event.total for event in progress)


def test_what_is_not_clear_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = falls_back(monkeypatch, 0.6, Verdict("none", hint=False))
    event, push, _ = scanned(do(tmp_path, map=False, scan_only=True))
    assert asked
    assert event.target != NAMED
    assert "fallen_back" not in event.facts
    assert push == {PUSH[Confidence.NONE]}


def test_of_few_images_nothing_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = falls_back(monkeypatch, 1.0, Verdict("none", hint=False))
    monkeypatch.setattr(finding, "can_unlearn", unlearned.can_unlearn)
    scanned(do(tmp_path, map=False, scan_only=True))
    assert not answers


def test_a_class_that_no_trigger_leads_to_is_not_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    falls_back(monkeypatch, 1.0, Verdict("none", hint=False))
    monkeypatch.setattr("core.scan.scan.WORKING_RATE", 1.1)
    event, push, _ = scanned(do(tmp_path, map=False, scan_only=True))
    assert "fallen_back" not in event.facts
    assert push == {PUSH[Confidence.NONE]}


def test_warps_that_lead_to_a_class_are_a_sign_and_the_nearest_is_the_trigger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = falls_back(monkeypatch, 1.0, Verdict("none", {"gap": 1.0}, hint=True))
    monkeypatch.setattr(finding, "warp_target", lambda *_: (4, 0.834))
    done = do(tmp_path, map=False, settings=SHORT["settings"])
    event, push, targets = scanned(done)
    assert (event.target, event.verdict, event.facts) == (4, "some", {"gap": 1.0, "warped": 83.4})
    assert (push, targets) == ({PUSH[Confidence.DOUBTFUL]}, {4})
    triggers = done.run.triggers()
    assert triggers is not None
    assert triggers.form == "warp"
    assert 0.3 < abs(triggers.patterns[0][:2]).mean() < 2, "pixels"
    assert done.result["stamps"] == "beside"
    progress = [told.done for told in done.of(Progress) if told.stage == "scan"]
    assert progress == sorted(progress)
    assert done.result["evidence"]["warped"] == 83.4
    assert not asked


@pytest.mark.parametrize(("grade", "target"), [("some", None), ("strong", None), ("none", 4)])
def test_no_warps_are_tried_and_nothing_is_unlearnt_where_there_is_a_sign_or_a_target_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, grade: Any, target: int | None
) -> None:
    asked = falls_back(monkeypatch, 1.0, Verdict(grade))
    tried: list[int] = []
    monkeypatch.setattr(finding, "warp_target", lambda *_: tried.append(1))
    scanned(do(tmp_path, map=False, scan_only=True, target=target))
    assert not tried
    assert not asked


def costly(monkeypatch: pytest.MonkeyPatch) -> None:
    """A purification against triggers costs too much BA, one without them does not."""
    measured = outcome.measured

    def costs(state: State, model: Classifier, when: Literal["before", "after"], *clean: Tensor) -> Measured:
        told = measured(state, model, when, *clean)
        if state.before is None or when == "before":
            return told
        return replace(told, ba=state.before.ba if state.abandoned_steps else 50.0)

    monkeypatch.setattr(outcome, "measured", costs)


def precaution(monkeypatch: pytest.MonkeyPatch) -> None:
    """No sign, and a class to be wary of; to train against its trigger costs too much."""
    falls_back(monkeypatch, 0.81, Verdict("none", hint=False))
    costly(monkeypatch)


# it is not cured so soon
SHORT = {"map": False, "settings": {"batch": 8, "anneal": 5, "rounds": 0}, "accept": "not-cured"}


class Twice(NamedTuple):
    """``whole``: a run with two attempts, from start to end; ``begun``: one that was stopped at its first step."""

    whole: Done
    begun: Path

    def copy(self, place: Path) -> Run:
        """A run to go on with, of the same scan."""
        run = Run(shutil.copytree(self.begun, place / self.begun.name))
        run.tell("run")
        return run


def steps_of(done: Done) -> list[int]:
    """Steps on record, whoever did them."""
    return [event.step for _, event in done.run.events() if isinstance(event, Step)]


@pytest.fixture(scope="module")
def twice(tmp_path_factory: pytest.TempPathFactory) -> Twice:
    with pytest.MonkeyPatch.context() as patch:
        precaution(patch)
        patch.setattr(steering, "LOOK_EVERY", 0)
        begun = do(tmp_path_factory.mktemp("begun"), stop_at("purify"), **SHORT)
        assert begun.status == "stopped"
        twice = Twice(begun, begun.run.folder)
        return twice._replace(whole=go_on(twice.copy(tmp_path_factory.mktemp("whole"))))


def test_a_precaution_that_costs_too_much_is_taken_again_with_stamps_alone(twice: Twice) -> None:
    whole = twice.whole
    assert whole.result["ba_held"] is True
    assert whole.result["stamps"] == "alone"
    assert whole.result["target"] == whole.result["target_found"] == NAMED
    assert (whole.run.folder / "model.safetensors").is_file()
    assert [event.stage for event in whole.of(StageStarted)] == ["load", "measure", "scan", "purify", "verify"]
    steps = steps_of(whole)
    assert steps == list(range(1, len(steps) + 1)), "those of the second attempt go on where the first ended"
    assert whole.result["steps"] == len(steps)
    assert 0 < whole.run.data["steps_before"] < len(steps)
    assert whole.result["given_up"] is True


def test_with_a_map_the_frames_go_on_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    precaution(monkeypatch)
    done = do(tmp_path, stop_at("verify"), points=100, settings=SHORT["settings"])
    frames = [event.step for event in done.of(Frame)]
    assert frames == sorted(frames)
    assert frames[-1] > done.run.data["steps_before"]


def ends_as(first: Done, whole: Done) -> Done:
    """The first worker's run, gone on with by a second: nothing is missing, nothing is told twice."""
    second = go_on(first.run, stop_at("verify"))
    assert [event.stage for event in second.of(StageStarted)][-2:] == ["purify", "verify"]
    assert steps_of(second) == list(range(1, whole.result["steps"] + 1))
    assert second.run.data["steps_before"] == whole.run.data["steps_before"]
    (ours, where), (theirs, there) = second.state, whole.state
    assert where == there
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    return second


@pytest.mark.parametrize("at", ["drop_checkpoint", "write_triggers", "recall_triggers"])
def test_a_crash_between_the_attempts_loses_nothing(
    twice: Twice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    precaution(monkeypatch)
    owner = State if at == "recall_triggers" else Run
    real, crashed = getattr(owner, at), []

    def crash(self: Any, *given: Any) -> Any:
        run = self.context.run if isinstance(self, State) else self
        if "steps_before" in run.data and not crashed:
            crashed.append(at)
            raise RuntimeError("the power failed")
        return real(self, *given)

    monkeypatch.setattr(owner, at, crash)
    first = go_on(twice.copy(tmp_path))
    assert (first.status, crashed) == ("failed", [at])
    ends_as(first, twice.whole)


def test_stopped_in_the_second_attempt_it_goes_on_there(
    twice: Twice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    precaution(monkeypatch)
    monkeypatch.setattr(steering, "LOOK_EVERY", 0)
    last = twice.whole.run.data["steps_before"] + 13

    def stop(run: Run, event: Event) -> None:
        if isinstance(event, Step) and event.step == last:
            run.tell("stop")

    first = go_on(twice.copy(tmp_path), stop)
    assert first.status == "stopped"
    first.run.tell("run")
    assert ends_as(first, twice.whole).of(Step)[0].step == last + 1


def test_a_sign_is_not_given_up_for_the_sake_of_accuracy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    falls_back(monkeypatch, 0.81, Verdict("some"))
    costly(monkeypatch)
    done = do(tmp_path, stop_at("verify"), **SHORT)
    assert done.of(StageStarted)[-1].stage == "verify"
    assert "steps_before" not in done.run.data
    assert len(done.of(Step)) == done.of(Step)[-1].total
