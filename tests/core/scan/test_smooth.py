"""Smooth triggers, on a victim whose trigger has no place."""

from __future__ import annotations

from functools import cache

import torch

from core.compute.returning import returned
from core.data import load
from core.data.budget import clean_budget
from core.metrics import attack_success_rate
from core.models.classifier import Classifier
from core.models.evaluate import answers
from core.scan import additive, smooth
from core.scan.form import invert
from core.scan.inversion import Inverted
from core.victims import card_of, load_victim
from tests.core.tiny import Tiny


def result(model: Classifier, images: torch.Tensor) -> Inverted:
    return returned(invert(smooth, model, images))


@cache
def blended() -> tuple[Inverted, float]:
    """The smooth form on the shipped victim with a blend, and how well its trigger works on unseen images, percent."""
    card, images = card_of("digits-blended"), load("digits")
    model = load_victim(card.name)
    budget = clean_budget(images.y_train, 100, images.num_classes, seed=0)
    found = result(model, images.x_train[budget])
    attacked = answers(model, images.x_test, found.trigger(card.target))
    return found, attack_success_rate(attacked, images.y_test, card.target)


def test_a_blend_is_found_on_the_coarse_grid() -> None:
    found, rate = blended()
    assert found.form == "smooth"
    assert rate > 50, "71 to 96"
    size, others = found.sizes[0], found.sizes[1:]
    assert size < others.min()


def test_a_smooth_trigger_is_smooth(tiny: Tiny) -> None:
    def roughness(pattern: torch.Tensor) -> float:
        return float(pattern.diff(dim=-1).abs().mean() / pattern.abs().mean())

    rough = returned(invert(additive, tiny.model, tiny.x)).patterns[tiny.target]
    assert roughness(blended()[0].patterns[0]) < 0.7 * roughness(rough)


def test_shapes_and_ranges(tiny: Tiny) -> None:
    found = result(tiny.model, tiny.x)
    assert found.masks is None
    assert found.patterns.shape == (10, 3, 16, 16)
    assert found.patterns.abs().max() <= 1.2  # a bicubic grid overshoots a little; images are clipped
    assert not found.patterns.requires_grad
