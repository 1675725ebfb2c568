"""Triggers from other starts: of the classes and the form that were given, working, and unlike one another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch

from core.compute.returning import Returning
from core.models.classifier import Classifier
from core.scan import FORMS
from core.scan.restarts import Effort, restarts
from core.triggers import FORMS as PLACES
from core.triggers import MASKED
from core.triggers.reconstructed import Confidence, Reconstructed
from tests.core.tiny import Tiny

EFFORT = Effort()


def made(
    tiny: Tiny, form: str, targets: Sequence[int] = (3, 3), effort: Effort = EFFORT, seed: int = 0
) -> list[Reconstructed]:
    steps = Returning(restarts(tiny.model, tiny.x, form, targets, effort, seed))
    told = list(steps)
    assert told == [(done, effort.steps) for done in range(effort.steps)]
    return steps.result


@pytest.mark.parametrize("form", FORMS)
def test_each_leads_to_the_target_in_its_form_and_none_is_another(tiny: Tiny, form: str) -> None:
    found = made(tiny, form)
    assert len(found) == 2
    for trigger in found:
        assert (trigger.form, trigger.target, trigger.confidence) == (form, tiny.target, Confidence.SURE)
        assert (trigger.mask is not None) == (PLACES[form] == MASKED)
        assert tiny.figures(tiny.model, trigger)[1] > 60  # type: ignore[arg-type]
    x = torch.rand(8, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    assert (found[0](x) - found[1](x)).abs().amax() > 0.1


def test_several_classes_go_side_by_side_in_the_order_given_and_the_backdoor_needs_least(tiny: Tiny) -> None:
    found = made(tiny, "mask", (5, 3, 3, 0), replace(EFFORT, min_rate=0.0))
    assert [trigger.target for trigger in found] == [5, 3, 3, 0]
    backdoor = max(trigger.size for trigger in found if trigger.target == tiny.target)
    assert all(trigger.size > 2 * backdoor for trigger in found if trigger.target != tiny.target)


def test_the_seed_decides(tiny: Tiny) -> None:
    short = replace(EFFORT, steps=8, min_rate=0.0)
    first, again, other = (made(tiny, "mask", effort=short, seed=seed) for seed in (0, 0, 1))
    assert all(torch.equal(a.pattern, b.pattern) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0].pattern, other[0].pattern)


def test_what_does_not_work_is_left_out_and_the_model_stays_as_it_was(tiny: Tiny) -> None:
    weights = {name: value.clone() for name, value in tiny.model.state_dict().items()}
    short = replace(EFFORT, steps=2)
    assert made(tiny, "mask", (0, 1), short) == [], "two steps get nowhere"
    assert len(made(tiny, "mask", (0, 1), replace(short, min_rate=0.0))) == 2, "unless all are asked for"
    assert all(torch.equal(value, weights[name]) for name, value in tiny.model.state_dict().items())
    assert all(parameter.requires_grad for parameter in tiny.model.parameters())


def test_harder_tries_give_triggers_that_turn_more(tiny: Tiny) -> None:
    rates = []
    for share in (0.5, 0.99):
        found = made(tiny, "pixel", effort=Effort(steps=60, images=12, attack_rate=share, min_rate=0.0))
        rates.append(min(tiny.figures(tiny.model, trigger)[1] for trigger in found))  # type: ignore[arg-type]
    assert rates[1] > rates[0]


def test_an_honest_network_has_only_large_ones(tiny: Tiny, honest: Classifier) -> None:
    backdoor = max(trigger.size for trigger in made(tiny, "mask"))
    assert all(trigger.size > 3 * backdoor for trigger in made(replace(tiny, model=honest), "mask"))
