"""What MCL makes of a victim: attack there before, gone after; when it ends, what it hands out, and nearer models."""

from __future__ import annotations

import math
from copy import deepcopy
from dataclasses import replace

import pytest
import torch

from core.defenses.batchnorm import take_anew
from core.defenses.mcl import BLIND, STEPS_BACK, Purifier
from core.defenses.settings import settings_for
from core.defenses.training import Check, PurifyStep
from core.inversion.trigger import Reconstructed
from core.models.classifier import Classifier
from tests.core.defenses.purifiers import QUICK, doubtful, make, same, weights
from tests.core.tiny import Tiny

# behaviour


def test_the_attack_is_there_before_and_gone_after(tiny: Tiny, purified: tuple[Purifier, list[PurifyStep]]) -> None:
    ba_before, asr_before = tiny.figures(tiny.model)
    assert asr_before > 95
    ba, asr = tiny.figures(purified[0].result(best=True))
    assert asr < 5
    assert ba > ba_before - 5


def test_the_contrast_falls(purified: tuple[Purifier, list[PurifyStep]]) -> None:
    steps = purified[1]
    assert steps[-1].losses["contrast"] < 0.6 * steps[0].losses["contrast"]


def test_published_removes_the_attack_of_a_badnets_victim_too(tiny: Tiny) -> None:
    purifier = make(tiny, settings_for("published", batch=16))
    for _ in purifier.steps():
        pass
    assert tiny.figures(purifier.result())[1] < 20


def test_it_ends_early_once_the_held_out_part_says_the_attack_is_gone(
    purified: tuple[Purifier, list[PurifyStep]],
) -> None:
    purifier, steps = purified
    assert steps[-1].total < steps[0].total
    assert len(steps) == steps[-1].step == steps[-1].total == purifier.total
    gone = next(step for step in steps if step.check and step.check[1] <= purifier.settings.gone)
    assert steps[-1].total == gone.step + purifier.mend
    rates = [step.lr for step in steps[gone.step :]]
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] < 0.01 * purifier.settings.lr[0]


def test_the_held_out_part_is_not_trained_on(tiny: Tiny) -> None:
    purifier = make(tiny)
    held, kept = purifier.held[0], purifier.x
    assert (len(held), len(kept)) == (6, 54)
    pixels = {tuple(image.flatten().tolist()) for image in kept.mul(255).round().to(torch.uint8)}
    assert not any(tuple(image.flatten().tolist()) in pixels for image in held)


def test_the_best_checked_state_is_the_result(tiny: Tiny, purified: tuple[Purifier, list[PurifyStep]]) -> None:
    purifier, steps = purified
    checks = [step.check for step in steps if step.check]
    scores = [ba - 2 * max(0.0, asr - purifier.settings.gone) for ba, asr in checks]
    held = purifier._check(purifier.result(best=True))
    assert held[1] <= purifier.settings.gone
    assert held[0] >= max(scores) - 100 * math.sqrt(0.25 / 6)


def test_without_a_held_out_part_the_result_is_the_last_state(tiny: Tiny) -> None:
    published = replace(QUICK, holdout=0, average=0, clean=0, keep=0, back=0)
    purifier = make(tiny, published)
    steps = list(purifier.steps())
    assert all(step.check is None for step in steps)
    assert same(weights(purifier.result(best=True)), weights(purifier.model))


def test_the_result_is_a_step_back_towards_the_victim_with_statistics_of_clean_images(tiny: Tiny) -> None:
    purifier = make(tiny, replace(QUICK, holdout=0, average=0, back=0.25))
    list(purifier.steps())
    result, end, start = purifier.result(best=True), purifier.model, tiny.model
    expected = 0.75 * end.head[0].weight + 0.25 * start.head[0].weight
    assert torch.allclose(result.head[0].weight, expected, atol=1e-6)
    again = deepcopy(result)
    take_anew(again, purifier.x)
    assert same(weights(again), weights(result))


def test_each_triggered_image_carries_one_of_the_triggers_and_all_are_used(tiny: Tiny) -> None:
    bright = Reconstructed("pixel", torch.full((3, 16, 16), 0.9), None, tiny.target)
    purifier = Purifier(tiny.model, tiny.x, tiny.y, [tiny.aimed, bright], QUICK)
    everything = torch.arange(len(purifier.x))
    x_t, triggered0, lead = purifier._triggered(everything)
    carried = torch.stack([(x_t == trigger(purifier.x)).flatten(1).all(1) for trigger in (tiny.aimed, bright)])
    assert bool((carried.sum(0) == 1).all())
    assert bool(carried.any(1).all())
    which = carried.int().argmax(0)
    assert torch.equal(triggered0, purifier.triggered0[which, everything])
    assert bool((lead.sum(1).gt(0) == (purifier.y != tiny.target)).all())


def test_triggers_from_other_starts_are_trained_against_and_not_measured_with(tiny: Tiny) -> None:
    bright = Reconstructed("pixel", torch.full((3, 16, 16), 0.9), None, tiny.target, again=True)
    real = tiny.aimed
    purifier = Purifier(tiny.model, tiny.x, tiny.y, [bright, real, bright], replace(QUICK, triggers=1))
    assert [trigger is real for trigger in purifier.known] == [True]
    assert [trigger is bright for trigger in purifier.triggers] == [False, True, True]
    x_t, _, _ = purifier._triggered(torch.arange(len(purifier.x)))
    assert bool((x_t == bright(purifier.x)).flatten(1).all(1).any())
    assert purifier._check(tiny.model) == Purifier(tiny.model, tiny.x, tiny.y, [tiny.aimed], QUICK)._check(tiny.model)


def test_what_the_victim_makes_of_triggered_images_is_the_same_beforehand_and_as_it_comes(tiny: Tiny) -> None:
    before = make(tiny, QUICK)
    assert before.triggered0 is not None
    short = replace(QUICK, batch=4, epochs=1, mend=0)
    many = Purifier(tiny.model, tiny.x, tiny.y, [tiny.aimed, *[replace(tiny.aimed, again=True)] * 9], short)
    assert many.triggered0 is None
    everything = torch.arange(len(before.x))
    assert torch.allclose(before._triggered(everything)[1], many._triggered(everything)[1], atol=1e-5)


def test_the_average_lies_between_the_victim_and_the_newest_state(tiny: Tiny) -> None:
    purifier = make(tiny, replace(QUICK, average=0.9))
    for _ in purifier.steps():
        pass
    start = tiny.model.head[0].weight
    newest, average = purifier.model.head[0].weight, purifier.result().head[0].weight
    assert 0 < (average - start).norm() < (newest - start).norm()


# nearer to the victim, where BA does not hold


def away(model: Classifier, victim: Classifier) -> float:
    return float((model.head[0].weight - victim.head[0].weight).detach().norm())


def test_each_nearer_model_is_closer_to_the_victim_and_free_of_the_attack(
    tiny: Tiny, purified: tuple[Purifier, list[PurifyStep]]
) -> None:
    purifier, _ = purified
    models = [purifier.result(best=True), *(model for _, model in purifier.nearer())]
    distances = [away(model, tiny.model) for model in models]
    assert len(models) > 1
    assert distances == sorted(distances, reverse=True)
    most = max(purifier.settings.gone, purifier._check(models[0]).asr)
    assert all(purifier._check(model).asr <= most for model in models)


def test_no_nearer_model_is_offered_once_the_attack_is_back(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    purifier = make(tiny)
    rates = iter([1.0, 2.0, purifier.settings.gone, 50.0, 0.0])
    monkeypatch.setattr(purifier, "_check", lambda model: Check(90.0, next(rates)))
    assert [back for back, _ in purifier.nearer()] == list(STEPS_BACK[:2])


def test_where_no_trigger_is_known_none_keeps_a_nearer_model_back(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    purifier = doubtful(tiny)
    monkeypatch.setattr(purifier, "_check", lambda model: Check(90.0, 50.0))
    assert BLIND in STEPS_BACK
    assert [back for back, _ in purifier.nearer()] == [back for back in STEPS_BACK if back <= BLIND]
