"""The victim after further training on clean images."""

from __future__ import annotations

import torch

from core.compute.returning import Returning, returned
from core.models.classifier import Classifier
from core.verify.woken import STEPS, trained_further
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
