"""The figures over the whole test set, against counts made by hand."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from core.engine import outcome
from core.engine.context import Context
from core.engine.state import State
from core.errors import BadInput
from core.events import Measured
from core.models.weights import Weights
from core.runs.spec import Spec
from tests.core.tiny import Tiny

BEFORE = Measured("before", 98.0, 98.0, 100.0, "true", 599, 540)


def state(tiny: Tiny, known: bool, triggers: list[Any]) -> State:
    subject: Any = SimpleNamespace(
        trigger=tiny.trigger if known else None, card=SimpleNamespace(target=tiny.target) if known else None,
        arch="small", normalize="digits", found=(), tried=(),
        weights=Weights({"a": torch.ones(1), "b": torch.ones(1)}, "module.", names={"b": "c"}),
    )  # fmt: skip
    run: Any = SimpleNamespace(events=list, folder="somewhere", data={})
    nothing: Any = None
    spec = Spec(target=None if known else tiny.target)
    context = Context(run, nothing, spec, tiny.images, subject, torch.device("cpu"), nothing)
    return State(context, triggers)


def test_measured_by_hand(tiny: Tiny) -> None:
    found = outcome.measured(state(tiny, True, []), tiny.model, "before")
    images, labels = tiny.images.x_test, tiny.images.y_test
    with torch.no_grad():
        clean = tiny.model(images.float() / 255).argmax(1)
        attacked = tiny.model(tiny.trigger(images.float() / 255)).argmax(1)
    right, away = clean == labels, labels != tiny.target
    assert found.ba == pytest.approx(100 * right.float().mean().item(), abs=0.01)
    assert found.ba_without_target == pytest.approx(100 * right[away].float().mean().item(), abs=0.01)
    assert found.asr == pytest.approx(100 * (attacked[away] == tiny.target).float().mean().item(), abs=0.01)
    assert found.target_ba == pytest.approx(100 * right[~away].float().mean().item(), abs=0.01)
    assert (found.asr_kind, found.clean_images, found.triggered_images) == ("true", len(labels), int(away.sum()))


@pytest.mark.parametrize("rate", [0.1, (0.1, 0.01)])
def test_a_purified_model_that_is_not_finite_is_a_failure_whatever_the_steps_were(tiny: Tiny, rate: Any) -> None:
    given = state(tiny, True, [])
    given.context = replace(given.context, settings=SimpleNamespace(lr=rate, most_drop=0.0))
    given.before = BEFORE
    broken = deepcopy(tiny.model)
    with torch.no_grad():
        broken.head[0].bias[0] = float("nan")
    for model, fails in ((broken, True), (tiny.model, False)):
        defence: Any = SimpleNamespace(done=20, result=lambda best, model=model: model)
        if not fails:
            assert outcome.measure_purified(given, defence).ba_held
            continue
        with pytest.raises(BadInput, match=r"step 20.*lr=0\.01\)") as caught:
            outcome.measure_purified(given, defence)
        assert caught.value.code == "training_diverged"


def test_answers_that_are_known_are_not_asked_for_again(tiny: Tiny) -> None:
    given = state(tiny, True, [])
    wrong = (tiny.images.y_test + 1) % tiny.images.num_classes
    found = outcome.measured(given, tiny.model, "after", wrong)
    assert (found.ba, found.ba_without_target, found.asr) == (
        0.0,
        0.0,
        outcome.measured(given, tiny.model, "after").asr,
    )
    assert outcome.accuracy(given, outcome.answered(given, tiny.model)) > 90


def test_an_estimate_is_that_of_the_trigger_that_works_best(tiny: Tiny) -> None:
    idle, other = replace(tiny.aimed, mask=torch.zeros(1, 16, 16)), replace(tiny.aimed, target=7)
    found = outcome.measured(state(tiny, False, [idle, tiny.aimed]), tiny.model, "before")
    assert found.asr_kind == "estimated"
    assert found.asr > 95
    assert outcome.measured(state(tiny, False, [idle, other]), tiny.model, "before").asr < 5, "that is of another class"


def test_a_result_holds_nothing_that_was_not_looked_for(tiny: Tiny) -> None:
    given = state(tiny, True, [])
    given.before = BEFORE
    found = outcome.result(given, 60, [])
    for key in (
        "target",
        "target_name",
        "anomaly_index",
        "verdict",
        "evidence",
        "ba_held",
        "ba_after",
        "asr_after",
        "cure",
    ):
        assert found[key] is None
    assert found["given_up"] is False
    assert found["purifications"] == []
    assert found["names"] == {"module.c": "b"}
    assert (found["ba_before"], found["clean_images"], found["device"]) == (98.0, 60, "cpu")


def test_the_seconds_of_a_stage_are_those_of_all_workers(tiny: Tiny) -> None:
    given = state(tiny, True, [])
    given.before, given.seconds, given.earlier_seconds = (
        BEFORE,
        {"load": 1.0, "scan": 0.0},
        {"scan": 7.25, "purify": 3.0},
    )
    assert outcome.result(given, 60, [])["seconds"] == {"load": 1.0, "scan": 7.25}
