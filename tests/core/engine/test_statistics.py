"""Which models are examined with the statistics of clean images, and what that shows."""

from __future__ import annotations

import pytest
import torch

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
    found = with_clean_statistics(subject(sleeping.model), sleeping.x)
    assert found.moved is not None
    assert found.moved > 0.2
    ba, asr = sleeping.figures(found.model)
    assert ba > 90
    assert asr > 80
    assert all(torch.equal(value, before[name]) for name, value in sleeping.model.state_dict().items())


def test_a_plain_victim_and_an_honest_model_are_examined_as_they_came(tiny: Tiny, honest: Classifier) -> None:
    for model in (tiny.model, honest):
        came = subject(model)
        assert with_clean_statistics(came, tiny.x) is came


@pytest.mark.parametrize("count", [0, MIN_IMAGES - 1])
def test_too_few_images_have_no_statistics(sleeping: Tiny, count: int) -> None:
    came = subject(sleeping.model)
    assert with_clean_statistics(came, sleeping.x[:count]) is came
