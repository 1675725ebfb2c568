"""The learning rate that a network bears: what a step at it does, and that looking for it leaves no trace."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from core.models.classifier import Classifier
from core.training.rate import trust_region_rate
from tests.core.tiny import Tiny

LIMIT = 0.01


def images(tiny: Tiny) -> Tensor:
    return tiny.x.float() / 255


def found(tiny: Tiny, model: Classifier, most: float, times: float = 1.0) -> float:
    x = images(tiny)
    wrong = (tiny.y + 1) % 10
    return trust_region_rate(model.train(), lambda: times * F.cross_entropy(model(x), wrong), x, most, LIMIT)


def moved(tiny: Tiny, model: Classifier, rate: float) -> float:
    """The divergence of the answers after one step at the rate, nats, worked out without ``trust_region_rate``."""
    x, stepped = images(tiny), deepcopy(model).train()
    F.cross_entropy(stepped(x), (tiny.y + 1) % 10).backward()
    with torch.no_grad():
        for parameter in stepped.net.parameters():
            if parameter.grad is not None:
                parameter.sub_(rate * parameter.grad)
        stepped.net.load_state_dict(model.net.state_dict() | dict(stepped.net.named_parameters()))
        before, after = model.eval()(x).softmax(1), stepped.eval()(x).softmax(1)
    return float((before * (before.log() - after.log())).sum(1).mean())


def test_a_step_at_the_rate_moves_the_answers_by_about_the_limit(tiny: Tiny) -> None:
    rate = found(tiny, deepcopy(tiny.model), 0.1)
    assert rate < 0.1
    assert LIMIT / 3 < moved(tiny, deepcopy(tiny.model), rate) < 3 * LIMIT


def test_it_is_never_higher_than_asked_for(tiny: Tiny) -> None:
    assert found(tiny, deepcopy(tiny.model), 1e-6) == 1e-6


def test_a_loss_twice_as_steep_bears_half_the_rate(tiny: Tiny) -> None:
    one, two = (found(tiny, deepcopy(tiny.model), 0.01, times) for times in (10.0, 20.0))
    assert two == pytest.approx(one / 2, rel=0.3)


def test_the_model_stays_as_it_was_its_statistics_too(tiny: Tiny) -> None:
    model = deepcopy(tiny.model)
    before = {name: value.clone() for name, value in model.net.state_dict().items()}
    found(tiny, model, 0.1)
    assert all(torch.equal(value, before[name]) for name, value in model.net.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert not model.training
