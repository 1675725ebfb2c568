"""Which models are examined with the statistics of clean images, and what that shows."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from torch import nn

from core.engine.statistics import MIN_IMAGES, with_clean_statistics
from core.engine.subject import Subject
from core.models.classifier import Classifier
from core.models.weights import Weights
from tests.core.tiny import Tiny


def subject(model: Classifier) -> Subject:
    return Subject(model, Weights({}), "small", "digits")


def test_a_sleeping_backdoor_is_awake_and_the_model_that_came_in_is_as_it_was(sleeping: Tiny) -> None:
    before = {name: value.clone() for name, value in sleeping.model.state_dict().items()}
    assert sleeping.figures(sleeping.model)[1] < 10
    found = with_clean_statistics(subject(sleeping.model), sleeping.x, sleeping.y)
    assert found.moved is not None
    assert found.moved > 0.2
    ba, asr = sleeping.figures(found.model)
    assert ba > 80
    assert asr > 70
    assert all(torch.equal(value, before[name]) for name, value in sleeping.model.state_dict().items())


def test_a_plain_victim_and_an_honest_model_are_examined_as_they_came(tiny: Tiny, honest: Classifier) -> None:
    for model in (tiny.model, honest):
        came = subject(model)
        assert with_clean_statistics(came, tiny.x, tiny.y) is came


def test_a_network_that_needs_the_statistics_it_has_stays_as_it_came(tiny: Tiny) -> None:
    """As one that was tuned with the statistics of other images: the layer after batch norm expects them."""
    model = deepcopy(tiny.model)
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):  # the same answers, by other statistics
            assert layer.running_mean is not None
            assert layer.running_var is not None
            narrower = torch.linspace(0.05, 1, len(layer.running_var))
            layer.running_var += layer.eps
            layer.running_var *= narrower**2
            layer.running_var -= layer.eps
            layer.weight.data *= narrower
    came = subject(model)
    assert tiny.figures(model)[0] == pytest.approx(tiny.figures(tiny.model)[0], abs=0.5)
    assert with_clean_statistics(came, tiny.x, tiny.y) is came


@pytest.mark.parametrize("count", [0, MIN_IMAGES - 1])
def test_too_few_images_have_no_statistics(sleeping: Tiny, count: int) -> None:
    came = subject(sleeping.model)
    assert with_clean_statistics(came, sleeping.x[:count], sleeping.y[:count]) is came
