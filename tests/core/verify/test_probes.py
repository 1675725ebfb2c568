"""Fresh triggers of a victim, and variants of a trigger."""

from __future__ import annotations

import pytest
import torch

from core.compute.returning import Returning, returned
from core.data import signs
from core.models.classifier import Classifier
from core.scan import FORMS
from core.scan.every_form import InEveryForm
from core.triggers.reconstructed import Reconstructed
from core.verify.probes import EFFORT, RESTARTS, SHIFT_PIXELS, fresh, variants
from core.victims import card_of, load_victim
from tests.core.tiny import Tiny


def sought(tiny: Tiny, seed: int = 0) -> InEveryForm:
    steps = Returning(fresh(tiny.model, tiny.images.x_test[:200], tiny.target, seed))
    told = list(steps)
    assert told == [(done, EFFORT.steps * len(FORMS)) for done in range(EFFORT.steps * len(FORMS))]
    return steps.result


@pytest.fixture(scope="module")
def found(tiny: Tiny) -> InEveryForm:
    """Of the victim; not to be changed."""
    return sought(tiny)


def test_they_work_on_the_victim_and_are_small_and_of_the_class(tiny: Tiny, found: InEveryForm) -> None:
    assert len(found.triggers) > 1
    for trigger in found.triggers:
        assert trigger.target == tiny.target
        assert trigger.size < 2 * tiny.aimed.size
        assert tiny.figures(tiny.model, trigger)[1] > 50  # type: ignore[arg-type]


def test_the_seed_decides_and_the_victim_stays_as_it_was(tiny: Tiny, found: InEveryForm) -> None:
    before = {name: value.clone() for name, value in tiny.model.state_dict().items()}
    again, other = (sought(tiny, seed=seed).triggers for seed in (0, 1))
    assert all(torch.equal(a.pattern, b.pattern) for a, b in zip(found.triggers, again, strict=True))
    assert not torch.equal(found.triggers[0].pattern, other[0].pattern)
    assert all(torch.equal(value, before[name]) for name, value in tiny.model.state_dict().items())


def test_other_classes_need_larger_ones(found: InEveryForm) -> None:
    assert {trigger.form for trigger in found.others} == set(FORMS)
    assert {trigger.target for trigger in found.others} == {8, 9}
    own, rest = (min(one.size for one in triggers if one.form == "mask") for triggers in (found.triggers, found.others))
    assert rest > 1.5 * own


def test_a_class_without_a_backdoor_has_none(tiny: Tiny, honest: Classifier) -> None:
    found = returned(fresh(honest, tiny.images.x_test[:200], 0, 0))
    assert found.triggers == [], "there is no form in which it stands out"
    assert found.others


def test_a_backdoor_that_answers_to_warps_has_one_among_them() -> None:
    card, images = card_of("signs-wanet"), signs.draw(torch.arange(300), "test")
    found = returned(fresh(load_victim("signs-wanet"), images, card.target, 0))
    assert [one.form for one in found.triggers].count("warp") == RESTARTS
    assert len(found.triggers) > 1, "additions work as well"


def dot(form: str) -> Reconstructed:
    """One pixel of a 7 x 7 picture, in its middle."""
    spot = torch.zeros(1, 7, 7)
    spot[0, 3, 3] = 1.0
    return Reconstructed(form, 0.4 * spot.expand(3, 7, 7), spot if form == "mask" else None, 2)


@pytest.mark.parametrize("form", ["mask", "pixel"])
def test_copies_are_moved_to_the_four_sides(form: str) -> None:
    moved = variants(dot(form))[:4]
    places = [torch.nonzero((one.pattern if one.mask is None else one.mask)[0]).tolist() for one in moved]
    assert sorted(places) == sorted([[3, 3 + SHIFT_PIXELS]] if k == 0 else [[3, 3 - SHIFT_PIXELS]] if k == 1 else [[3 +
    SHIFT_PIXELS, 3]]
                                    if k == 2 else [[3 - SHIFT_PIXELS, 3]] for k in range(4))  # fmt: skip
    for one, (place,) in zip(moved, places, strict=True):
        assert one.pattern[:, place[0], place[1]].tolist() == pytest.approx([0.4] * 3)
        assert (one.form, one.target) == (form, 2)


def test_what_leaves_on_one_side_does_not_come_back_on_the_other() -> None:
    corner = torch.zeros(3, 7, 7)
    corner[:, 0, 6] = 1.0
    sums = [float(one.pattern.sum()) for one in variants(Reconstructed("pixel", corner, None, 2))[:4]]
    assert sorted(sums) == [0.0, 0.0, 3.0, 3.0]


def test_the_last_copy_is_larger_by_a_pixel_on_each_side_or_stronger() -> None:
    larger = variants(dot("mask"))[-1].mask
    assert larger is not None
    assert larger.sum() == 9
    assert larger[0, 2:5, 2:5].all()
    assert torch.allclose(variants(dot("pixel"))[-1].pattern, 1.5 * dot("pixel").pattern)
