"""How far a search is, class by class: each form from nothing, and those that left the inversion as they were."""

from __future__ import annotations

from dataclasses import replace

import torch

from core.compute.returning import returned
from core.scan import mask_pattern
from core.scan.form import invert
from core.scan.mask_pattern import SETTINGS
from core.scan.search_progress import SearchProgress
from tests.core.tiny import Tiny

CPU = torch.device("cpu")


def test_before_the_first_step_of_a_form_there_is_nothing_to_tell() -> None:
    progress = SearchProgress()
    assert progress.event() is None
    progress.begin(2, CPU)
    assert progress.event() is None
    progress.note("mask", torch.tensor([0, 1]), torch.tensor([0.5, 1.0]), torch.tensor([torch.inf, 3.21]))
    progress.begin(2, CPU)
    assert progress.event() is None


def test_classes_that_left_the_inversion_keep_what_they_had() -> None:
    progress = SearchProgress()
    progress.begin(3, CPU)
    progress.note("mask", torch.arange(3), torch.tensor([0.25, 0.5, 1.0]), torch.tensor([torch.inf, torch.inf, 9.0]))
    progress.note("mask", torch.tensor([2]), torch.tensor([0.975]), torch.tensor([4.04]))
    told = progress.event()
    assert told is not None
    assert (told.form, told.number) == ("mask", 1)
    assert told.rates == [25.0, 50.0, 97.5]
    assert told.sizes == [None, None, 4.0]


def test_an_inversion_tells_what_its_result_holds_and_is_not_changed_by_it(tiny: Tiny) -> None:
    few, progress = replace(SETTINGS, main_steps=40, refinement_steps=0), SearchProgress()
    found = returned(invert(mask_pattern, tiny.model, tiny.x, few, progress=progress))
    alone = returned(invert(mask_pattern, tiny.model, tiny.x, few))
    told = progress.event()
    assert told is not None
    assert torch.equal(found.sizes, alone.sizes)
    assert [size is not None for size in told.sizes] == found.sizes.isfinite().tolist()
    assert told.sizes[tiny.target] == round(float(found.sizes[tiny.target]), 1)


def test_a_class_is_far_ahead_once_enough_others_have_a_trigger_and_theirs_are_three_times_as_large() -> None:
    progress = SearchProgress()
    progress.begin(6, CPU)

    def note(*sizes: float) -> bool:
        progress.note("mask", torch.arange(6), torch.ones(6), torch.tensor(sizes))
        return progress.far_ahead(pixels=1000)

    inf = torch.inf
    assert not note(inf, 5, inf, inf, inf, 40)
    assert note(inf, 5, 44, inf, inf, 40)
    assert not note(inf, 15, 44, inf, inf, 40)
    assert not note(inf, 150, 990, inf, inf, 600), "a large trigger says little"
