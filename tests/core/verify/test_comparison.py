"""What the tests of a proof measure with: which images, which triggers count as working, and which as small."""

from __future__ import annotations

from dataclasses import replace

import torch

from core.models.classifier import Classifier
from core.verify.comparison import Comparison
from tests.core.tiny import Tiny


def comparison(tiny: Tiny, purified: Classifier) -> Comparison:
    return Comparison(tiny.model, purified, tiny.images.x_test, tiny.images.y_test, tiny.target, seed=0, suspects=[5])


def test_no_image_is_searched_on_and_measured_on(tiny: Tiny, honest: Classifier) -> None:
    both = comparison(tiny, honest)
    assert not torch.isin(both.search_indices, both.asr_indices).any()
    assert not (tiny.images.y_test[both.asr_indices] == tiny.target).any()


def test_only_triggers_that_work_on_the_victim_count_and_the_purified_model_is_measured(
    tiny: Tiny, honest: Classifier
) -> None:
    aimed = tiny.aimed
    nothing = replace(aimed, mask=torch.zeros_like(aimed.mask))  # type: ignore[arg-type]
    both = comparison(tiny, honest)
    found, figures = both.working([nothing, aimed], tiny.target)
    assert [one is aimed for one in found] == [True]
    assert figures is not None
    assert figures[0] < 10 < 90 < figures[1]
    assert both.working([nothing], tiny.target) == ([], None)


def test_a_trigger_is_small_beside_those_of_honest_classes_of_its_form(tiny: Tiny, honest: Classifier) -> None:
    both, size = comparison(tiny, honest), tiny.aimed.size
    assert both.is_small(tiny.aimed), "there is nothing to compare it with"
    suspect, own, form = ("mask", 5, 0.1), ("mask", tiny.target, 0.1), ("smooth", 1, 0.1)
    both.other_sizes = [suspect, own, form, ("mask", 2, float("nan")), ("mask", 1, 2 * size)]
    assert both.is_small(tiny.aimed)
    both.other_sizes.append(("mask", 4, 1.2 * size))
    assert not both.is_small(tiny.aimed)
    assert both.is_small(replace(tiny.aimed, form="warp"))
