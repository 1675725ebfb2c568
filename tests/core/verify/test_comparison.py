"""What the tests of a proof measure with: which images, which triggers count as working, and which as small."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from core.models.classifier import Classifier
from core.triggers.reconstructed import Reconstructed
from core.verify.comparison import MAX_CONTROL, Comparison
from core.verify.probes import shrunk
from tests.core.tiny import Tiny


def comparison(tiny: Tiny, purified: Classifier) -> Comparison:
    return Comparison(tiny.model, purified, tiny.images.x_test, tiny.images.y_test, tiny.target, seed=0, suspects=[5])


def whole(tiny: Tiny, label: int) -> Reconstructed:
    """A picture of the class in place of the image."""
    picture = tiny.images.x_test[tiny.images.y_test == label][0] / 255
    return Reconstructed("mask", picture, torch.ones(1, 16, 16), label)


def saturated(tiny: Tiny, label: int) -> Reconstructed:
    """A pattern that makes a picture of the class of every image."""
    picture = whole(tiny, label)
    return replace(picture, form="smooth", mask=None, pattern=2 * (picture.pattern > 0.4) - 1.0)


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
    found = both.working([nothing, aimed], tiny.target)
    assert found is not None
    assert [one is aimed for one in found.triggers] == [True]
    assert found.asr < 10 < 90 < found.before
    assert found.control == 0, "there is no other class to compare with"
    assert both.working([nothing], tiny.target) is None


def test_the_control_is_what_another_class_shows_at_the_same_size(tiny: Tiny) -> None:
    """The victim as its own purified model: the real trigger for its target, and a picture that gives any class."""
    both, picture = comparison(tiny, tiny.model), whole(tiny, 1)
    alone, beside = (both.working([tiny.aimed], tiny.target, others) for others in ([], [picture]))
    assert alone is not None
    assert beside is not None
    assert (alone.asr, alone.before, alone.control) == (beside.asr, beside.before, 0)
    small = shrunk(picture, tiny.aimed.size)
    assert small.size == pytest.approx(tiny.aimed.size)
    added = both.asr(tiny.model, small, 1, 250) - both.asr(tiny.model, None, 1, 250)
    assert beside.control == pytest.approx(max(0.0, added), abs=0.01)
    suspect = both.working([tiny.aimed], tiny.target, [replace(picture, target=5)])
    assert suspect is not None
    assert suspect.control == 0, "a suspect is no control"


def test_what_other_classes_show_as_well_comes_last_however_high(tiny: Tiny) -> None:
    both = comparison(tiny, tiny.model)
    wide, other = (saturated(tiny, label) for label in (tiny.target, 7))
    found = both.working([wide, tiny.aimed], tiny.target, [other])
    assert found is not None
    assert [one.form for one in found.triggers] == ["mask", "smooth"]
    assert both.asr(tiny.model, wide) >= both.asr(tiny.model, tiny.aimed) == pytest.approx(found.asr, abs=0.01)
    assert found.control == 0


def test_a_class_with_a_backdoor_of_its_own_is_no_excuse(tiny: Tiny) -> None:
    """Of two other classes the one that shows less is the control, and whatever they show, it is at most 30 points."""
    both = comparison(tiny, tiny.model)
    wide, seven, four = (saturated(tiny, label) for label in (tiny.target, 7, 4))
    assert both.asr(tiny.model, seven, 7) > 90 > 10 > both.asr(tiny.model, four, 4)
    found = [both.working([wide], tiny.target, others) for others in ([seven], [seven, four])]
    assert [one and one.control for one in found] == [MAX_CONTROL, 0]


def test_with_two_classes_there_is_nothing_to_compare_with_and_the_worst_is_found(tiny: Tiny) -> None:
    labels = (tiny.images.y_test == tiny.target).long()
    both = Comparison(tiny.model, tiny.model, tiny.images.x_test, labels, 1, seed=0)
    nothing = replace(tiny.aimed, mask=torch.zeros(1, 16, 16), target=1)
    both.target = tiny.target
    found = both.working([tiny.aimed, nothing], tiny.target, [replace(tiny.aimed, target=0)])
    assert found is not None
    assert (found.control, found.asr > 90) == (0, True)


def test_a_trigger_is_small_beside_those_of_honest_classes_of_its_form(tiny: Tiny, honest: Classifier) -> None:
    both, size = comparison(tiny, honest), tiny.aimed.size
    assert both.is_small(tiny.aimed), "there is nothing to compare it with"
    suspect, own, form = ("mask", 5, 0.1), ("mask", tiny.target, 0.1), ("smooth", 1, 0.1)
    both.other_sizes = [suspect, own, form, ("mask", 2, float("nan")), ("mask", 1, 2 * size)]
    assert both.is_small(tiny.aimed)
    both.other_sizes.append(("mask", 4, 1.2 * size))
    assert not both.is_small(tiny.aimed)
    assert both.is_small(replace(tiny.aimed, form="warp"))
