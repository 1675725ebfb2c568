"""Added triggers, on victims whose trigger has a place and whose trigger has none."""

from __future__ import annotations

from functools import cache

import pytest
import torch

from core.data import load
from core.data.budget import clean_budget
from core.metrics import attack_success_rate
from core.models.evaluate import answers
from core.scan.additive import invert
from core.scan.inversion import Inverted
from core.victims import card_of, load_victim
from tests.core.tiny import Tiny


def result(model, images, **settings) -> Inverted:  # type: ignore[no-untyped-def]
    *_, (_, _, found) = invert(model, images, **settings)
    assert found is not None
    return found


def test_a_patch_is_found_pixel_by_pixel(tiny: Tiny) -> None:
    found = result(tiny.model, tiny.x)
    assert found.form == "pixel"
    assert found.smallest == tiny.target
    assert tiny.figures(tiny.model, found.trigger(tiny.target))[1] > 50  # type: ignore[arg-type]


@cache
def blended() -> tuple[Inverted, float]:
    """The smooth form on the shipped victim with a blend, and how well its trigger works on unseen images, percent."""
    card, images = card_of("digits-blended"), load("digits")
    model = load_victim(card.name)
    budget = clean_budget(images.y_train, 100, images.num_classes, seed=0)
    found = result(model, images.x_train[budget], smooth=True)
    attacked = answers(model, images.x_test, found.trigger(card.target))
    return found, attack_success_rate(attacked, images.y_test, card.target)


def test_a_blend_is_found_on_the_coarse_grid() -> None:
    found, rate = blended()
    assert found.form == "smooth"
    assert rate > 70
    size, others = found.sizes[0], found.sizes[1:]
    assert size < others.min()


def test_a_smooth_trigger_is_smooth(tiny: Tiny) -> None:
    def roughness(pattern: torch.Tensor) -> float:
        return float(pattern.diff(dim=-1).abs().mean() / pattern.abs().mean())

    rough = result(tiny.model, tiny.x).patterns[tiny.target]
    assert roughness(blended()[0].patterns[0]) < 0.7 * roughness(rough)


@pytest.mark.parametrize("smooth", [False, True])
def test_shapes_and_ranges(tiny: Tiny, smooth: bool) -> None:
    found = result(tiny.model, tiny.x, smooth=smooth)
    assert found.masks is None
    assert found.patterns.shape == (10, 3, 16, 16)
    assert found.patterns.abs().max() <= 1.2  # a bicubic grid overshoots a little; images are clipped
    assert not found.patterns.requires_grad
