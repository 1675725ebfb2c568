"""The inversion on a victim whose trigger is known."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import pytest
import torch

from core.compute.returning import returned
from core.data.imageset import as_float
from core.models.evaluate import answers
from core.scan import mask_pattern
from core.scan.anomaly import anomaly_index
from core.scan.form import invert
from core.scan.inversion import InversionSettings, Inverted
from core.scan.mask_pattern import SETTINGS
from core.triggers.masked import put as stamp
from tests.core.tiny import Tiny


def result(tiny: Tiny, settings: InversionSettings = SETTINGS, seed: int = 0) -> Inverted:
    return returned(invert(mask_pattern, tiny.model, tiny.x, settings, seed))


@pytest.fixture(scope="module")
def found(tiny: Tiny) -> Inverted:
    return result(tiny)


def test_the_target_class_has_by_far_the_smallest_mask(tiny: Tiny, found: Inverted) -> None:
    assert int(found.sizes.argmin()) == tiny.target
    others = torch.cat([found.sizes[: tiny.target], found.sizes[tiny.target + 1 :]])
    assert found.sizes[tiny.target] < 0.5 * others.min()
    index = anomaly_index(found.sizes)
    assert int(index.argmax()) == tiny.target
    assert index[tiny.target] > 1.5, "2.6 to 4.6"


def test_the_stamp_flips_images_it_has_not_seen(tiny: Tiny, found: Inverted) -> None:
    mask, pattern = found.masks[tiny.target], found.patterns[tiny.target]
    asr = tiny.figures(tiny.model, lambda x: stamp(x, mask, pattern))[1]  # type: ignore[arg-type]
    assert asr > 60, "86 to 93"
    # and not just any stamp of that size does
    elsewhere = mask.flip(1, 2)
    assert tiny.figures(tiny.model, lambda x: stamp(x, elsewhere, pattern))[1] < 40  # type: ignore[arg-type]


def test_the_mask_lies_where_the_trigger_was(tiny: Tiny, found: Inverted) -> None:
    mask = found.masks[tiny.target][0]
    assert mask[11:, 11:].sum() > 0.25 * mask.sum(), "0.46 to 1.00, in a tenth of the image"


def test_shapes_and_ranges(tiny: Tiny, found: Inverted) -> None:
    assert found.masks.shape == (10, 1, 16, 16)
    assert found.patterns.shape == (10, 3, 16, 16)
    for part in (found.masks, found.patterns, found.attack_rates):
        assert part.min() >= 0
        assert part.max() <= 1
        assert not part.requires_grad
    assert found.sizes.shape == found.attack_rates.shape == (10,)


def test_sizes_are_those_of_the_kept_masks_save_where_the_final_steps_made_them_smaller(found: Inverted) -> None:
    kept, reached = found.masks.sum((1, 2, 3)), found.sizes.isfinite()
    assert (kept[reached] <= found.sizes[reached] + 1e-3).all()
    differ = (found.sizes - kept).abs() > 1e-3
    assert int((differ & reached).sum()) <= SETTINGS.refined_classes
    assert (found.attack_rates[reached] >= SETTINGS.attack_rate).all()


def test_the_sizes_are_the_same_without_the_refinement(tiny: Tiny) -> None:
    sharp, plain = (result(tiny, replace(SETTINGS, main_steps=30, refinement_steps=steps)) for steps in (10, 0))
    assert torch.equal(sharp.sizes, plain.sizes)
    assert torch.equal(sharp.early_loss, plain.early_loss)
    assert not torch.equal(sharp.masks, plain.masks)


def test_the_images_of_every_step_are_counted(tiny: Tiny) -> None:
    few = replace(SETTINGS, images=8, main_steps=2, refinement_steps=2, refined_classes=3)
    done = [80, 160, 184, 208]  # of ten classes, then of three
    assert list(invert(mask_pattern, tiny.model, tiny.x, few)) == [(images, 208) for images in done]


def test_the_model_is_as_it_was(tiny: Tiny) -> None:
    model = deepcopy(tiny.model).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    for _ in invert(mask_pattern, model, tiny.x, replace(SETTINGS, main_steps=3, refinement_steps=2)):
        pass
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(module.training for module in model.modules())
    assert all(parameter.requires_grad and parameter.grad is None for parameter in model.parameters())


def test_a_scan_cut_off_leaves_the_model_usable(tiny: Tiny) -> None:
    scan = invert(mask_pattern, tiny.model, tiny.x, SETTINGS)
    next(scan)
    scan.close()
    assert all(parameter.requires_grad for parameter in tiny.model.parameters())


def test_the_same_seed_gives_the_same_result(tiny: Tiny) -> None:
    few = replace(SETTINGS, main_steps=10, refinement_steps=3)
    first, again, other = result(tiny, few), result(tiny, few), result(tiny, few, seed=1)
    assert torch.equal(first.masks, again.masks)
    assert torch.equal(first.patterns, again.patterns)
    assert not torch.equal(first.patterns, other.patterns)


def test_float_and_uint8_images_are_the_same(tiny: Tiny) -> None:
    few = replace(SETTINGS, main_steps=5, refinement_steps=2)
    from_float = returned(invert(mask_pattern, tiny.model, as_float(tiny.x), few))
    assert torch.equal(from_float.masks, result(tiny, few).masks)


def test_more_refined_classes_than_classes_and_classes_never_reached(tiny: Tiny) -> None:
    hopeless = result(tiny, replace(SETTINGS, main_steps=2, refinement_steps=1, refined_classes=20))
    assert hopeless.sizes.isinf().any()
    assert (hopeless.masks.sum((1, 2, 3)) > 0).all(), "a mask that has not arrived yet is still a mask"


def test_a_class_that_is_neither_refined_nor_reached_keeps_a_mask_too(tiny: Tiny) -> None:
    """Its class may be the one the user says is the target, and an empty trigger would purify nothing."""
    hopeless = result(tiny, replace(SETTINGS, main_steps=2, refinement_steps=1, refined_classes=1))
    assert hopeless.sizes.isinf().sum() > 1
    assert (hopeless.masks.sum((1, 2, 3)) > 0).all()


def test_stamp_by_hand(tiny: Tiny) -> None:
    images = torch.full((2, 3, 4, 4), 0.5)
    mask, pattern = torch.zeros(1, 4, 4), torch.ones(3, 4, 4)
    mask[0, 1, 2], mask[0, 3, 3] = 1.0, 0.5
    stamped = stamp(images, mask, pattern)
    assert stamped[:, :, 1, 2].eq(1).all()
    assert stamped[:, :, 3, 3].eq(0.75).all()
    assert int((stamped != images).sum()) == 2 * 3 * 2
    # the real trigger, put in by its own mask, is the real trigger
    real = tiny.trigger.mask_and_pattern()  # type: ignore[attr-defined]
    x = as_float(tiny.x)
    assert torch.equal(answers(tiny.model, stamp(x, *real)), answers(tiny.model, tiny.trigger(x)))
