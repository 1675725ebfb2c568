"""Triggers that still work on the model as it is: found where the backdoor is left, and not where it is gone."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from core.defenses.mcl.rounds import MAX_SIZE_RATIO, STARTS_PER_FORM, still_working
from core.models.classifier import Classifier
from core.triggers.reconstructed import Confidence, Reconstructed
from tests.core.defenses.mcl.purifiers import same, weights
from tests.core.tiny import Tiny

ADDED = Reconstructed("pixel", torch.full((3, 16, 16), 0.2), None, 3, Confidence.DOUBTFUL)


@pytest.mark.parametrize("form", ["mask", "pixel"])
def test_on_a_model_that_is_still_the_victim_they_are_found_and_work(tiny: Tiny, form: str) -> None:
    given = tiny.aimed if form == "mask" else ADDED
    found = still_working(tiny.model, tiny.model, tiny.x, [given], seed=0)
    assert 0 < len(found) <= STARTS_PER_FORM
    for trigger in found:
        assert (trigger.form, trigger.target, trigger.confidence) == (form, tiny.target, given.confidence)
        assert trigger.size <= MAX_SIZE_RATIO * given.size
        assert tiny.figures(tiny.model, trigger)[1] > 50  # type: ignore[arg-type]


def test_on_a_model_without_the_backdoor_there_are_none(tiny: Tiny, honest: Classifier) -> None:
    assert tiny.figures(honest)[1] < 5
    assert still_working(tiny.model, honest, tiny.x, [tiny.aimed], seed=0) == []


def test_much_larger_ones_do_not_count(tiny: Tiny) -> None:
    dot = replace(tiny.aimed, mask=torch.zeros(1, 16, 16))
    assert still_working(tiny.model, tiny.model, tiny.x, [dot], seed=0) == []


def test_every_target_is_looked_for_with_a_limit_of_its_own(tiny: Tiny) -> None:
    """Any network has some trigger for any class, if it may be as large as the picture."""
    large = replace(tiny.aimed, mask=torch.ones(1, 16, 16), target=7)
    dot = replace(tiny.aimed, mask=torch.zeros(1, 16, 16))
    found = [still_working(tiny.model, tiny.model, tiny.x, [one, large], seed=0) for one in (tiny.aimed, dot)]
    assert [{trigger.target for trigger in each} for each in found] == [{tiny.target, 7}, {7}]


def test_every_form_is_looked_for_once_and_warps_are_not(tiny: Tiny) -> None:
    warp = Reconstructed("warp", torch.full((3, 16, 16), 2.0), None, tiny.target)
    assert still_working(tiny.model, tiny.model, tiny.x, [warp], seed=0) == []
    found = still_working(tiny.model, tiny.model, tiny.x, [tiny.aimed, ADDED, tiny.aimed, warp], seed=0)
    assert {trigger.form for trigger in found} == {"mask", "pixel"}
    assert len(found) <= 2 * STARTS_PER_FORM
    assert {trigger.confidence for trigger in found} == {Confidence.SURE}, "that of the first"


def test_the_seed_decides_and_neither_model_changes(tiny: Tiny, honest: Classifier) -> None:
    before = weights(tiny.model), weights(honest)
    first, again, other = (still_working(tiny.model, tiny.model, tiny.x, [tiny.aimed], seed) for seed in (0, 0, 1))
    still_working(tiny.model, honest, tiny.x, [tiny.aimed], seed=0)
    assert all(torch.equal(a.pattern, b.pattern) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0].pattern, other[0].pattern)
    assert same(weights(tiny.model), before[0])
    assert same(weights(honest), before[1])
    assert not tiny.model.training
    assert all(parameter.requires_grad for parameter in tiny.model.parameters())
