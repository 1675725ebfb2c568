"""MCL's default: its terms against formulas of their own, its schedule, and the attack there before and gone after."""

from __future__ import annotations

import math
from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from core.attacks.badnets import BadNets
from core.attacks.blended import Blended
from core.attacks.two_targets import TwoTargets
from core.defenses.mcl.purifier import MIN_STEPS, Purifier, normalisation
from core.defenses.mcl.settings import MCLSettings
from core.models.classifier import Classifier
from core.training.batchnorm import recompute_statistics
from core.training.loop import PurifyStep
from core.triggers.reconstructed import Confidence, Reconstructed
from tests.core.attacks.learned import TARGET, figures, victim
from tests.core.defenses.mcl.purifiers import (
    QUICK,
    SHORT,
    make,
    plenty,
    same,
    watched,
    weights,
)
from tests.core.tiny import Tiny

Whole = tuple[Purifier, list[PurifyStep]]

# the loss


def test_the_terms_at_the_start_are_those_of_the_victim(tiny: Tiny) -> None:
    """Before the first step, in evaluation mode, every term has a value that can be worked out."""
    purifier = make(tiny, replace(QUICK, mixed=0))
    purifier.model.eval()
    chosen = torch.arange(20)
    x, y = purifier.x[chosen], purifier.y[chosen]
    with torch.no_grad():
        terms = purifier.losses(chosen)
        f0, z0 = tiny.model.features_and_logits(x)
        f0_t, z0_t = tiny.model.features_and_logits(tiny.trigger(x))
    pushed = nn.functional.cosine_similarity(f0_t, f0).double()
    assert float(terms["contrast"]) == pytest.approx(float((1 + ((1 - pushed) / 0.5).exp()).log().mean()), rel=1e-4)
    away = y != tiny.target  # the target's own images are spared the margin
    z0_t[away, tiny.target] += QUICK.margin
    assert float(terms["supervised"]) == pytest.approx(float(nn.functional.cross_entropy(z0_t, y)), rel=1e-4)
    kept = z0.clone()
    for row in torch.nonzero(away).flatten().tolist():
        others = [float(z0[row, label]) for label in range(10) if label != tiny.target]
        kept[row, tiny.target] = min(float(z0[row, tiny.target]), max(others))
    shares = kept.softmax(1)
    expected = (shares * (shares.log() - z0.log_softmax(1))).sum(1).mean()
    assert float(terms["keep"]) == pytest.approx(float(expected), rel=1e-3, abs=1e-5)


def test_an_answer_with_the_target_is_not_kept_on_an_image_of_another_class(tiny: Tiny) -> None:
    """Nothing to keep of the backdoor: images that carry the trigger stand among the clean ones."""
    x = (tiny.trigger(tiny.x.float() / 255) * 255).round().to(torch.uint8)
    purifier = Purifier(tiny.model, x, tiny.y, [tiny.aimed], replace(QUICK, mixed=0, holdout=0))
    purifier.model.eval()
    with torch.no_grad():
        terms = purifier.losses(torch.nonzero(purifier.y != tiny.target).flatten())
    assert float(terms["keep"]) > 1, "the victim's own answers are the target's, and these are not asked for"


def test_all_three_terms_are_computed_and_everything_moves(tiny: Tiny) -> None:
    purifier = make(tiny)
    step = next(purifier.steps())
    assert set(step.losses) == {"contrast", "supervised", "keep"}
    before, after = weights(tiny.model), weights(purifier.model)
    assert not any(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("name", ["supervised", "keep"])
def test_a_weight_of_0_leaves_its_term_out(tiny: Tiny, name: str) -> None:
    off = {name: 0.0}
    step = next(make(tiny, replace(QUICK, **off)).steps())  # type: ignore[arg-type]
    assert set(step.losses) == {"contrast", "supervised", "keep"} - {name}


def test_terms_weigh_what_the_plan_says(tiny: Tiny) -> None:
    few = make(tiny, replace(QUICK, keep=3.0, supervised=1.5))
    assert few.weight("keep") == pytest.approx(3.0 * (1 + 0.94))  # six images a class of a hundred
    assert (few.weight("supervised"), few.weight("contrast")) == (1.5, 1.0)
    many = Purifier(tiny.model, *plenty(tiny), [tiny.aimed], replace(QUICK, keep=3.0))
    assert many.weight("keep") == 3.0


def test_a_term_counts_with_its_weight(tiny: Tiny) -> None:
    """Plain SGD: one step along one term alone is as long as its weight says."""

    def moved(weight: float) -> Tensor:
        alone = replace(
            QUICK, contrast=0, supervised=weight, keep=0, moved=math.inf, momentum=0, weight_decay=0, holdout=0
        )
        purifier = make(tiny, alone)
        next(purifier.steps())
        return purifier.model.head[0].weight.detach() - tiny.model.head[0].weight.detach()

    torch.testing.assert_close(moved(0.25) * 4, moved(1.0), rtol=1e-3, atol=1e-6)


def test_a_step_is_one_of_sgd_with_momentum_and_weight_decay(tiny: Tiny) -> None:
    """Against torch's own optimiser, at the rates that are told."""
    chosen = replace(QUICK, weight_decay=0.05)
    ours, theirs = make(tiny, chosen), make(tiny, chosen)
    seen = watched(ours)
    optimiser = torch.optim.SGD(theirs.model.parameters(), lr=1.0, momentum=0.9, weight_decay=0.05)
    for step in ours.steps():
        optimiser.param_groups[0]["lr"] = step.lr
        theirs.model.train()
        terms = theirs.losses(seen[-1])
        optimiser.zero_grad()
        torch.stack([theirs.weight(name) * term for name, term in terms.items()]).sum().backward()
        optimiser.step()
        theirs.done += 1  # what is drawn at random depends on the step
        if step.step == 6:
            break
    expected = weights(theirs.model)
    for name, value in weights(ours.model).items():
        torch.testing.assert_close(value, expected[name], rtol=1e-4, atol=1e-6, msg=name)


# the network


def net(*norm: nn.Module) -> Classifier:
    torch.manual_seed(0)
    layers = nn.Conv2d(3, 4, 3), *norm, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 10)
    return Classifier(nn.Sequential(*layers)).eval()


@pytest.mark.parametrize(
    ("norm", "kind", "rate", "longer"),
    [((nn.BatchNorm2d(4),), "batch", 1.0, 1), ((nn.GroupNorm(2, 4),), "other", 1.0, 2), ((), "none", 0.1, 1.5)],
)
def test_how_the_network_normalises_decides_with(
    tiny: Tiny, norm: tuple[nn.Module, ...], kind: str, rate: float, longer: float
) -> None:
    model = net(*norm)
    assert normalisation(model) == kind
    purifier = Purifier(model, *plenty(tiny), [tiny.aimed], QUICK)
    assert purifier.plan.anneal == round(longer * QUICK.anneal)
    assert purifier.learning_rate(10) == pytest.approx(rate * QUICK.lr)


# the schedule


def test_it_ends_early_once_the_held_out_part_says_the_attack_is_gone(purified: Whole) -> None:
    purifier, steps = purified
    start = purifier.annealing_from
    assert start is not None
    assert steps[-1].total < steps[0].total
    assert len(steps) == steps[-1].step == steps[-1].total == start + purifier.plan.anneal
    gone = [step for step in steps[:start] if step.check and step.check.asr <= purifier.settings.gone]
    assert gone[-1].step == start
    assert len(gone) - 1 <= purifier.rounds <= purifier.settings.rounds, "all others were followed by a round"
    rates = [step.lr for step in steps[start:]]
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] < 0.01 * purifier.plan.lr


def test_where_the_attack_does_not_go_the_annealing_comes_all_the_same(tiny: Tiny) -> None:
    """At the rate 0 nothing changes."""
    purifier = make(tiny, replace(QUICK, lr=0.0, epochs=1))
    steps = list(purifier.steps())
    assert len(steps) == MIN_STEPS + purifier.plan.anneal == purifier.total
    assert {step.total for step in steps} == {len(steps)}
    assert make(tiny, replace(QUICK, epochs=20)).total == 20 * 4 + purifier.plan.anneal


def test_an_attack_that_goes_in_the_annealing_does_not_begin_it_anew(
    tiny: Tiny,
) -> None:
    """``total`` only ever falls, and so does the rate."""
    purifier = make(tiny, replace(QUICK, lr=0.001, epochs=1, anneal=30, gone=100.0, check_every=MIN_STEPS + 10))
    total = purifier.total
    steps = list(purifier.steps())
    assert len(steps) == total
    assert all(step.total == total for step in steps)
    rates = [step.lr for step in steps[5:]]
    assert rates == sorted(rates, reverse=True)


@pytest.mark.parametrize("rounds", [0, 1, 2])
def test_what_a_round_finds_is_trained_against_and_only_then_the_annealing_begins(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch, rounds: int
) -> None:
    bright = Reconstructed("pixel", torch.full((3, 16, 16), 0.9), None, tiny.target)
    made: list[int] = []

    def still_working(victim: Classifier, *_: object) -> list[Reconstructed]:
        made.append(purifier.done)
        return [bright]

    monkeypatch.setattr("core.defenses.mcl.purifier.still_working", still_working)
    purifier = make(tiny, replace(QUICK, rounds=rounds, gone=100.0))  # each look says that it is gone
    for _ in purifier.steps():
        pass
    assert made == [5 * (number + 1) for number in range(rounds)]
    assert purifier.annealing_from == 5 * (rounds + 1)
    assert len(purifier.triggers) == 1 + rounds


def test_a_round_that_finds_nothing_begins_the_annealing(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.defenses.mcl.purifier.still_working", lambda *_: [])
    purifier = make(tiny, replace(QUICK, rounds=3, gone=100.0))
    for _ in purifier.steps():
        pass
    assert (purifier.annealing_from, purifier.rounds) == (5, 1)


# what comes of it


def test_the_attack_is_there_before_and_gone_after(tiny: Tiny, purified: Whole) -> None:
    ba_before, asr_before = tiny.figures(tiny.model)
    assert asr_before > 95
    ba, asr = tiny.figures(purified[0].result(best=True))
    assert asr < 5
    assert ba > ba_before - 10  # of 60 images


def test_of_two_backdoors_with_two_targets_both_go(tiny: Tiny) -> None:
    trigger = TwoTargets((16, 16))
    model = victim(trigger, rate=0.1)
    targets = TARGET, trigger.second_target(TARGET, 10)
    sticker, blend = trigger.triggers
    assert isinstance(sticker, BadNets)
    assert isinstance(blend, Blended)
    mask, pattern = sticker.mask_and_pattern()
    veil = torch.full((1, 16, 16), blend.alpha)
    triggers = [
        Reconstructed("mask", pattern, mask, targets[0]), Reconstructed("mask", blend.key(), veil, targets[1])
    ]  # fmt: skip
    before = [figures(model, one, target)[1] for one, target in zip(trigger.triggers, targets, strict=True)]
    assert min(before) > 80
    purifier = Purifier(model, tiny.x, tiny.y, triggers, SHORT)
    for _ in purifier.steps():
        pass
    after = [figures(purifier.result(best=True), *one) for one in zip(trigger.triggers, targets, strict=True)]
    assert max(asr for _, asr in after) < 40, "0 to 14"
    assert after[0][0] > figures(model, sticker)[0] - 20, "5 less"


def test_the_contrast_falls(purified: Whole) -> None:
    steps = purified[1]
    assert steps[-1].losses["contrast"] < 0.8 * steps[0].losses["contrast"], "a share of 0.53 to 0.57"


def test_the_best_checked_state_is_the_result(purified: Whole) -> None:
    purifier, steps = purified
    scores = [step.check.ba - 2 * max(0.0, step.check.asr - purifier.settings.gone)
              for step in steps if step.check and step.step > (purifier.annealing_from or 0)]  # fmt: skip
    found = purifier.held_out.check(purifier.result(best=True), purifier.triggers)
    assert found.asr <= purifier.settings.gone
    assert found.ba >= max(scores) - 100 * math.sqrt(0.25 / 6)


def test_without_a_held_out_part_the_result_is_the_last_state_with_statistics_of_clean_images(tiny: Tiny) -> None:
    purifier = make(tiny, replace(QUICK, holdout=0))
    steps = list(purifier.steps())
    assert all(step.check is None for step in steps)
    expected = deepcopy(purifier.model)
    recompute_statistics(expected, purifier.x)
    assert same(weights(purifier.result(best=True)), weights(expected))


def test_a_sure_trigger_needs_no_stamps(tiny: Tiny) -> None:
    assert make(tiny).stamps is None
    assert tiny.aimed.confidence is Confidence.SURE
    assert make(tiny, MCLSettings(stamps=0)).plan == make(tiny, MCLSettings()).plan
