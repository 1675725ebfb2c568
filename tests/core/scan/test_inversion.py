"""What the forms share: the prescreen before the main stage, the slices, and which triggers are returned."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
import torch

from core.compute.returning import returned
from core.models.classifier import Classifier
from core.scan import mask_pattern
from core.scan.form import invert
from core.scan.inversion import Inverted
from core.scan.mask_pattern import SETTINGS
from tests.core.crowded import crowded
from tests.core.tiny import Tiny


def result(tiny: Tiny, model: Classifier | None = None, **changes: float) -> Inverted:
    return returned(invert(mask_pattern, model or tiny.model, tiny.x, replace(SETTINGS, **changes)))


def test_with_many_classes_the_prescreen_drops_those_with_the_highest_loss(tiny: Tiny) -> None:
    """By its early loss the target is the third to seventh of ten, depending on how the victim was trained."""
    found = result(tiny, main_classes=9, prescreen_steps=20, main_steps=60, refinement_steps=5)
    assert int(found.sizes.isnan().sum()) == 1
    assert int(found.sizes.nan_to_num(torch.inf).argmin()) == tiny.target
    assert (found.masks.sum((1, 2, 3)) > 0).all(), "a class that leaves in the prescreen keeps its last mask"  # type: ignore[union-attr]


def test_the_prescreen_is_counted_by_its_images(tiny: Tiny) -> None:
    few = replace(
        SETTINGS, main_classes=4, prescreen_steps=2, prescreen_images=16, images=8, main_steps=2, refinement_steps=1
    )
    done = [160, 320, 352, 384, 400]  # of ten classes, then of four, then of two
    assert list(invert(mask_pattern, tiny.model, tiny.x, few)) == [(images, 400) for images in done]


def test_memory_holds_so_many_slices_at_once(tiny: Tiny, free_memory: Callable[[float], None]) -> None:
    """With room for one image, one slice at a time; the result is the same."""
    few = {"main_steps": 4, "refinement_steps": 1}
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        whole = result(tiny, **few)
        free_memory(1)
        alone = result(tiny, **few)
    finally:
        torch.set_num_threads(before)
    assert torch.equal(whole.patterns, alone.patterns)


def test_the_main_stage_has_the_classes_with_the_lowest_early_loss(tiny: Tiny) -> None:
    found = result(tiny, main_classes=4, prescreen_steps=20, main_steps=5, refinement_steps=2)
    assert found.early_loss is not None
    assert set(found.early_loss.argsort()[:4].tolist()) == set((~found.sizes.isnan()).nonzero().flatten().tolist())


def test_who_is_reached_soonest_is_noted_without_a_prescreen_too(tiny: Tiny) -> None:
    early, short = (result(tiny, main_steps=steps, refinement_steps=1).early_loss for steps in (30, 10))
    assert early is not None
    assert short is not None
    assert float(early.min()) > 0
    assert (early < short).all(), "a mean over more steps: each class gets nearer"


@pytest.mark.parametrize("threads", [1, 3])
def test_the_slices_do_not_change_the_result(tiny: Tiny, threads: int) -> None:
    few = {"main_steps": 6, "refinement_steps": 2}
    whole = result(tiny, **few)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        sliced = result(tiny, **few)
    finally:
        torch.set_num_threads(before)
    assert whole.masks is not None
    assert sliced.masks is not None
    assert torch.allclose(
        whole.masks, sliced.masks, atol=0.05
    )  # sums in another order, magnified by Adam's first steps


def test_a_trigger_is_handed_out_with_its_form_and_target(tiny: Tiny) -> None:
    found = result(tiny, main_steps=3, refinement_steps=1)
    trigger = found.trigger(7)
    assert (trigger.form, trigger.target) == ("mask", 7)
    assert trigger.mask is not None
    assert torch.equal(trigger.pattern, found.patterns[7])


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Otherwise a CPU splits the classes among its cores, as a GPU does not."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("one_thread")
def test_slices_that_a_gpu_cannot_hold_are_halved_until_they_fit(tiny: Tiny) -> None:
    whole = result(tiny, main_steps=6, refinement_steps=2)
    model, passes = crowded(tiny.model, 50)
    found = result(tiny, model, main_steps=6, refinement_steps=2)
    assert max(passes) == 40  # ten classes of eight images, then five, and so for all steps
    assert len(passes) == 2 * 6 + 2
    assert whole.masks is not None
    assert found.masks is not None
    assert torch.allclose(whole.masks, found.masks, atol=0.05)


@pytest.mark.usefixtures("one_thread")
def test_one_class_that_a_gpu_cannot_hold_is_given_up(tiny: Tiny) -> None:
    model, passes = crowded(tiny.model, 7)
    with pytest.raises(torch.OutOfMemoryError):
        result(tiny, model, main_steps=6, refinement_steps=2)
    assert not passes
