"""Triggers of a class in every form in which it stands out, and warps."""

from __future__ import annotations

import pytest
import torch

from core.compute.returning import Returning, returned
from core.data import signs
from core.models.classifier import Classifier
from core.scan import FORMS
from core.scan.every_form import COMPARISON_CLASSES, WARPS_TRIED, in_every_form
from core.scan.restarts import Effort
from core.victims import card_of, load_victim
from tests.core.tiny import Tiny

EFFORT = Effort(steps=40, images=8, attack_rate=0.9)


def test_only_forms_in_which_the_class_stands_out_are_among_them(tiny: Tiny) -> None:
    x = tiny.images.x_test[:200]
    every, small = (returned(in_every_form(tiny.model, x, tiny.target, 1, EFFORT, most)) for most in (100.0, 0.67))
    sizes = {one.form: one.size for one in every.triggers}
    honest = {form: min(one.size for one in every.others if one.form == form) for form in FORMS}
    assert set(sizes) == set(FORMS)
    assert {one.form for one in small.triggers} == {form for form in FORMS if sizes[form] <= 0.67 * honest[form]}
    assert len(small.triggers) > 0
    assert all(one.target == tiny.target for one in every.triggers)
    assert len(every.others) == COMPARISON_CLASSES * len(FORMS)


def test_suspects_are_not_compared_with(tiny: Tiny) -> None:
    found = returned(in_every_form(tiny.model, tiny.images.x_test[:50], tiny.target, 1, EFFORT, 1.0, suspects=[0, 1]))
    assert {one.target for one in found.others} == {2, 4}


def test_a_class_without_a_backdoor_has_none(tiny: Tiny, honest: Classifier) -> None:
    assert returned(in_every_form(honest, tiny.images.x_test[:200], 0, 1, EFFORT, 0.67)).triggers == []


@pytest.mark.parametrize(("victim", "warps"), [("signs-wanet", 2), ("signs-badnets", 0)])
def test_warps_are_added_where_random_ones_lead_to_the_class(victim: str, warps: int) -> None:
    short, images = Effort(steps=1, images=4), signs.draw(torch.arange(300), "test")
    search = Returning(in_every_form(load_victim(victim), images, card_of(victim).target, 2, short, 0.67))
    told = list(search)
    assert [one.form for one in search.result.triggers].count("warp") == warps
    steps = len(FORMS) * short.steps
    assert told[:steps] == [(done, steps) for done in range(steps)]
    assert told[steps:] == [(steps + done, steps + 2 * WARPS_TRIED) for done in range(1, warps * WARPS_TRIED + 1)]
