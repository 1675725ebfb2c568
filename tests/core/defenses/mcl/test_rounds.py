"""Triggers that still work on the model as it is: found where the backdoor is left, and not where it is gone."""

from __future__ import annotations

from dataclasses import replace

import torch

from core.defenses.mcl.rounds import STARTS_PER_FORM, still_working
from core.models.classifier import Classifier
from core.scan import FORMS
from core.triggers.reconstructed import Confidence, Reconstructed
from tests.core.defenses.mcl.purifiers import same, weights
from tests.core.tiny import Tiny

ADDED = Reconstructed("pixel", torch.full((3, 16, 16), 0.2), None, 3, Confidence.DOUBTFUL)


def test_on_a_model_that_is_still_the_victim_they_are_found_and_work(tiny: Tiny) -> None:
    found = still_working(tiny.model, tiny.model, tiny.x, [tiny.aimed], seed=0)
    assert found
    for trigger in found:
        assert (trigger.target, trigger.confidence) == (tiny.target, tiny.aimed.confidence)
        assert tiny.figures(tiny.model, trigger)[1] > 50  # type: ignore[arg-type]
    assert len(found) <= STARTS_PER_FORM * len(FORMS)


def test_they_are_sought_in_forms_that_nothing_was_trained_against(tiny: Tiny) -> None:
    found = still_working(tiny.model, tiny.model, tiny.x, [ADDED], seed=0)
    assert "mask" in {trigger.form for trigger in found}, "a sticker, of which one form was known"
    assert {trigger.confidence for trigger in found} == {ADDED.confidence}


def test_on_a_model_without_the_backdoor_there_are_none(tiny: Tiny, honest: Classifier) -> None:
    assert tiny.figures(honest)[1] < 5
    assert still_working(tiny.model, honest, tiny.x, [tiny.aimed], seed=0) == []


def test_what_an_honest_class_has_as_well_does_not_count(tiny: Tiny, honest: Classifier) -> None:
    """Any network has some trigger for any class, if it may be as large as that of another."""
    for target in (0, 7):
        assert still_working(honest, honest, tiny.x, [replace(tiny.aimed, target=target)], seed=0) == []


def test_suspects_are_not_compared_with_one_another(tiny: Tiny) -> None:
    found = still_working(tiny.model, tiny.model, tiny.x, [replace(tiny.aimed, target=7), tiny.aimed], seed=0)
    assert {trigger.target for trigger in found} == {tiny.target}


def test_of_a_warp_alone_there_is_nothing_to_seek(tiny: Tiny) -> None:
    warp = Reconstructed("warp", torch.full((3, 16, 16), 2.0), None, tiny.target)
    assert still_working(tiny.model, tiny.model, tiny.x, [warp], seed=0) == []


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
