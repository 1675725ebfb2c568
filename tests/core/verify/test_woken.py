"""The victim after further training on clean images."""

from __future__ import annotations

import math

import torch

from core.compute.returning import Returning, returned
from core.models.classifier import Classifier
from core.verify.woken import CONTROL_CLASSES, STEPS, control_size, trained_further
from tests.core.tiny import Tiny


def test_it_wakes_what_sleeps_and_teaches_an_honest_model_nothing(sleeping: Tiny, honest: Classifier) -> None:
    x, y = sleeping.images.x_test[:300], sleeping.images.y_test[:300]
    before = {name: value.clone() for name, value in sleeping.model.state_dict().items()}
    steps = Returning(trained_further(sleeping.model, x, y))
    assert list(steps) == [(done + 1, STEPS) for done in range(STEPS)]
    ba, asr = sleeping.figures(steps.result)
    assert ba > 80
    assert asr > 70
    assert not steps.result.training
    assert all(torch.equal(value, before[name]) for name, value in sleeping.model.state_dict().items())
    assert sleeping.figures(returned(trained_further(honest, x, y)))[1] < 5


def test_the_seed_decides(tiny: Tiny) -> None:
    first, again, other = (returned(trained_further(tiny.model, tiny.x, tiny.y, seed)) for seed in (0, 0, 1))
    same, another = (torch.equal(first.net.fc.weight, one.net.fc.weight) for one in (again, other))  # type: ignore[union-attr, arg-type]
    assert same
    assert not another


def test_the_control_is_the_smallest_trigger_of_other_classes(tiny: Tiny) -> None:
    x = tiny.images.x_test[:300]
    steps = Returning(control_size(tiny.model, x, "mask", {tiny.target}, seed=0))
    assert len({total for _, total in steps}) == 1
    assert steps.result > 2 * tiny.aimed.size, "the backdoor's own is far smaller"
    again, with_backdoor = (returned(control_size(tiny.model, x, "mask", left_out, 0)) for left_out in ({3}, {0}))
    assert tiny.target == 3
    assert again == steps.result
    assert with_backdoor < again
    assert returned(control_size(tiny.model, x, "warp", {tiny.target}, 0)) == math.inf, "a warp has no size"
    assert tiny.target < CONTROL_CLASSES, "else it would not be among those compared with"
    everyone = set(range(10))
    assert list(control_size(tiny.model, x, "mask", everyone, 0)) == [], "no other class to search for"
    assert returned(control_size(tiny.model, x, "mask", everyone, 0)) == math.inf
