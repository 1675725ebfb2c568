"""The held-out part of the clean budget: what it says of a model, and which state it keeps."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from core.defenses.mcl.held_out import HeldOut
from core.training.loop import Check
from tests.core.tiny import Tiny


@pytest.mark.parametrize("count", [1, 2, 3])
def test_it_gives_ba_and_the_success_of_triggers_that_the_images_carry_in_turn(tiny: Tiny, count: int) -> None:
    """Against a count made image by image."""
    nothing = replace(tiny.aimed, mask=torch.zeros(1, 16, 16))
    triggers = [tiny.aimed, nothing, nothing][:count]
    right, hit, away = 0, 0, 0
    for number, (image, label) in enumerate(zip(tiny.x, tiny.y.tolist(), strict=True)):
        x = image[None].float() / 255
        with torch.no_grad():
            right += int(tiny.model(x).argmax()) == label
            if label != tiny.target:
                away += 1
                hit += int(tiny.model(triggers[number % count](x)).argmax()) == tiny.target
    found = HeldOut(tiny.x, tiny.y, gone=3.0).check(tiny.model, triggers)
    assert found.ba == pytest.approx(100 * right / 60)
    assert found.asr == pytest.approx(100 * hit / away)
    assert found.asr > 95 if count == 1 else found.asr < 60


def test_of_several_targets_the_one_that_is_reached_most_often_counts(tiny: Tiny) -> None:
    """Each of them over all images: what does not work towards one class hides nothing of another."""
    idle = replace(tiny.aimed, mask=torch.zeros(1, 16, 16), target=7)
    held = HeldOut(tiny.x, tiny.y, gone=3.0)
    alone = held.check(tiny.model, [tiny.aimed])
    assert alone.asr > 95
    assert held.check(tiny.model, [idle]).asr < 10
    assert held.check(tiny.model, [idle, tiny.aimed]) == held.check(tiny.model, [tiny.aimed, idle, idle]) == alone


def test_more_triggers_than_images_are_no_obstacle(tiny: Tiny) -> None:
    few = HeldOut(tiny.x[tiny.y != tiny.target][:2], tiny.y[tiny.y != tiny.target][:2], gone=3.0)
    assert few.check(tiny.model, [tiny.aimed] * 5).asr == 100


def part(error: float = 0.0) -> HeldOut:
    found = HeldOut(torch.zeros(4, 3, 8, 8), torch.zeros(4), gone=3.0)
    found.standard_error = error
    return found


def test_a_later_state_is_kept_unless_it_is_worse_by_more_than_chance() -> None:
    held = part(error=2.0)
    told = [held.prefers(Check(ba, 0.0)) for ba in (90.0, 88.0, 87.9, 88.0, 91.0, 88.9, 89.0)]
    assert told == [True, True, False, True, True, False, True]
    assert held.best_score == 91.0


def test_attack_success_counts_double_from_where_it_is_not_gone() -> None:
    held = part()
    assert held.prefers(Check(90.0, 3.0))
    assert not held.prefers(Check(91.0, 4.0))
    assert held.prefers(Check(92.0, 4.0))
    assert held.prefers(Check(90.0, 0.0)), "less than gone is no merit, and an even state is as good"
    assert held.best_score == 90.0


def test_chance_is_one_standard_error_of_the_victims_accuracy(tiny: Tiny) -> None:
    wrong = (tiny.y + 1) % 10
    labels = torch.cat([tiny.y[:45], wrong[45:]])
    with torch.no_grad():
        share = float((tiny.model(tiny.x.float() / 255).argmax(1) == labels).float().mean())
    assert 0.6 < share < 0.8
    held = HeldOut(tiny.x, labels, gone=3.0)
    held.measure_error(tiny.model)
    assert held.standard_error == pytest.approx(100 * math.sqrt(share * (1 - share) / 60), rel=1e-5)


def test_a_victim_that_makes_no_mistake_leaves_some_room_to_chance_all_the_same(tiny: Tiny) -> None:
    with torch.no_grad():
        answers = tiny.model(tiny.x.float() / 255).argmax(1)
    held = HeldOut(tiny.x, answers, gone=3.0)
    held.measure_error(tiny.model)
    assert held.standard_error == pytest.approx(10 / math.sqrt(60))


def test_a_part_without_images_has_no_length(tiny: Tiny) -> None:
    assert len(HeldOut(tiny.x[:0], tiny.y[:0], gone=3.0)) == 0
    assert len(HeldOut(tiny.x, tiny.y, gone=3.0)) == 60
