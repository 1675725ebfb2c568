from __future__ import annotations

import numpy as np
import torch

from core.data.imageset import as_float
from core.models.attribution import attribution, blurred, heat
from tests.core.tiny import Tiny


def triggered(tiny: Tiny) -> tuple[torch.Tensor, torch.Tensor]:
    """24 images without and with the trigger."""
    clean = as_float(tiny.images.x_test[tiny.images.y_test != tiny.target][:24])
    return clean, tiny.trigger(clean)


def test_attributions_add_up_to_the_difference_of_the_logits(tiny: Tiny) -> None:
    _, images = triggered(tiny)
    classes = torch.full((len(images),), tiny.target)
    with torch.no_grad():
        gap = (tiny.model(images) - tiny.model(blurred(images)))[:, tiny.target]
    found = attribution(tiny.model, images, classes, steps=100).sum((1, 2))
    torch.testing.assert_close(found, gap, atol=0.15, rtol=0.05)


def test_the_trigger_is_where_a_backdoored_model_looks(tiny: Tiny) -> None:
    clean, images = triggered(tiny)
    trigger = (images - clean).abs().sum(1) > 1e-3
    found = attribution(tiny.model, images, torch.full((len(images),), tiny.target)).clamp(min=0)
    on_trigger = (found * trigger).sum((1, 2)) / found.sum((1, 2))
    assert on_trigger.median() > 5 * trigger.float().mean()


def test_the_model_is_left_as_it_was(tiny: Tiny) -> None:
    tiny.model.zero_grad(set_to_none=True)
    attribution(tiny.model, triggered(tiny)[1][:2], torch.tensor([0, 1]), steps=2)
    assert all(parameter.grad is None and parameter.requires_grad for parameter in tiny.model.parameters())


def test_heat_is_what_speaks_for_the_class() -> None:
    attributed = torch.linspace(-1, 1, 400).reshape(1, 20, 20)
    found = heat(attributed)
    assert found.dtype == np.uint8
    assert found.max() == 255
    assert not found[0, :9].any()
    assert not heat(-torch.ones(1, 4, 4)).any()
