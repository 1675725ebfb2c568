"""MCL against its formula, against its published schedule, and on a victim: attack there before, gone after."""

from __future__ import annotations

import math
from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch import Tensor, nn

from core.defenses import mcl
from core.defenses.batchnorm import take_anew
from core.defenses.mcl import BLIND, STEPS_BACK, SURE_KEEP, Purifier, contrast
from core.defenses.mixing import mixed
from core.defenses.settings import MCLSettings, settings_for
from core.defenses.training import Check, PurifyStep
from core.inversion.trigger import Reconstructed
from core.models.classifier import Classifier
from tests.core.tiny import Tiny

QUICK = MCLSettings(epochs=4, mend=0, batch=16)


def make(tiny: Tiny, chosen: MCLSettings = QUICK, seed: int = 0) -> Purifier:
    return Purifier(tiny.model, tiny.x, tiny.y, [tiny.aimed], chosen, seed)


def weights(model: Classifier) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.net.state_dict().items()}


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(value, b[name]) for name, value in a.items())


# the loss


def literal(triggered: np.ndarray, clean0: np.ndarray, triggered0: np.ndarray, tau: float) -> float:
    """The paper's formula as it is written, in float64."""

    def cosine(a: np.ndarray, b: np.ndarray) -> float:
        return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))

    losses = []
    for f, f0, f0_t in zip(*(part.astype(np.float64) for part in (triggered, clean0, triggered0)), strict=True):
        up, down = math.exp(cosine(f, f0) / tau), math.exp(cosine(f, f0_t) / tau)
        losses.append(-math.log(up / (up + down)))
    return float(np.mean(losses))


# away from vectors of no length, for which a cosine says nothing
NUMBERS = st.floats(0.125, 100, width=32) | st.floats(-100, -0.125, width=32)


@settings(max_examples=150, deadline=None)
@given(st.data(), st.integers(1, 4), st.integers(1, 6), st.floats(0.05, 5))
def test_contrast_is_the_papers_formula(data: st.DataObject, n: int, d: int, tau: float) -> None:
    parts = [data.draw(arrays(np.float32, (n, d), elements=NUMBERS)) for _ in range(3)]
    a, b, c = parts
    found = contrast(torch.from_numpy(a), torch.from_numpy(b), torch.from_numpy(c), tau)
    assert float(found) == pytest.approx(literal(a, b, c, tau), rel=1e-3, abs=1e-5)


def test_contrast_by_hand() -> None:
    east, north = torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 3.0]])
    home = contrast(east, clean0=east, triggered0=north, tau=0.5)
    away = contrast(north, clean0=east, triggered0=north, tau=0.5)
    assert float(home) == pytest.approx(math.log(1 + math.exp(-2)))
    assert float(away) == pytest.approx(math.log(1 + math.exp(2)))
    between = contrast(torch.tensor([[1.0, 1.0]]), clean0=east, triggered0=north, tau=0.5)
    assert float(between) == pytest.approx(math.log(2))


def test_contrast_is_a_mean_over_the_batch() -> None:
    a, b, c = torch.randn(3, 5, 4, generator=torch.Generator().manual_seed(0))
    single = [float(contrast(a[i : i + 1], b[i : i + 1], c[i : i + 1], 0.5)) for i in range(5)]
    assert float(contrast(a, b, c, 0.5)) == pytest.approx(np.mean(single), rel=1e-5)


@pytest.mark.parametrize("scale", [0.0, 1e-30, 1e-12, 1e12, 1e30])
@pytest.mark.parametrize("tau", [1e-6, 0.5, 1e6])
def test_contrast_and_its_gradient_stay_finite(scale: float, tau: float) -> None:
    generator = torch.Generator().manual_seed(0)
    f = (scale * torch.randn(4, 8, generator=generator)).requires_grad_()
    f0, f0_t = scale * torch.randn(2, 4, 8, generator=generator)
    loss = contrast(f, f0, f0_t, tau)
    loss.backward()
    assert torch.isfinite(loss)
    assert f.grad is not None
    assert torch.isfinite(f.grad).all()


@pytest.mark.parametrize(
    ("data", "rates"),
    [
        ("cifar10", {0: 0.1, 1: 0.01, 9: 0.01, 10: 0.001, 19: 0.001}),
        ("gtsrb", {0: 0.01, 1: 0.01, 2: 0.001, 9: 0.001, 10: 0.0001, 19: 0.0001}),
    ],
)
def test_the_published_learning_rates(tiny: Tiny, data: str, rates: dict[int, float]) -> None:
    purifier = make(tiny, settings_for("published", data, batch=16))
    epoch = math.ceil(60 / 16)
    assert purifier.total == 20 * epoch
    for number, rate in rates.items():
        first, last = number * epoch, number * epoch + epoch - 1
        assert purifier.learning_rate(first) == rate
        assert purifier.learning_rate(last) == rate


def test_steps_tell_their_rate_and_their_number(tiny: Tiny) -> None:
    steps = list(make(tiny, settings_for("published", epochs=2)).steps())
    assert [step.lr for step in steps] == [0.1, 0.01]
    assert [(step.step, step.total) for step in steps] == [(1, 2), (2, 2)]


def watched(purifier: Purifier) -> list[Tensor]:
    """The batches that the purifier will have taken, index by index."""
    seen: list[Tensor] = []
    real = purifier.losses

    def losses(chosen: Tensor) -> dict[str, Tensor]:
        seen.append(chosen)
        return real(chosen)

    purifier.losses = losses  # type: ignore[method-assign]
    return seen


@pytest.mark.parametrize("preset", ["default", "published"])
def test_a_step_is_one_of_sgd_with_momentum_and_weight_decay(tiny: Tiny, preset: str) -> None:
    """Against torch's own optimiser, at the rates that are told."""
    chosen = settings_for(preset, batch=16, epochs=2, weight_decay=0.05)
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
        if step.step == 8:
            break
    expected = weights(theirs.model)
    for name, value in weights(ours.model).items():
        torch.testing.assert_close(value, expected[name], rtol=1e-4, atol=1e-6, msg=name)


# what is optimised


def test_published_is_the_contrast_alone_and_leaves_the_last_layer_as_it_was(tiny: Tiny) -> None:
    """Not even weight decay touches it: SGD passes over parameters without a gradient."""
    assert settings_for("published").weight_decay > 0
    purifier = make(tiny, settings_for("published", epochs=3))
    before = weights(tiny.model)
    steps = list(purifier.steps())
    assert all(set(step.losses) == {"contrast"} for step in steps)
    head = purifier.model.head[0]
    assert head.weight.grad is None
    assert head.bias.grad is None
    after = weights(purifier.result())
    unchanged = {name for name in before if torch.equal(before[name], after[name])}
    assert unchanged == {"fc.weight", "fc.bias"}


def test_the_default_preset_computes_all_four_terms_and_moves_everything(tiny: Tiny) -> None:
    purifier = make(tiny)
    step = next(purifier.steps())
    assert set(step.losses) == {"contrast", "clean", "supervised", "keep"}
    before, after = weights(tiny.model), weights(purifier.model)
    assert not any(torch.equal(before[name], after[name]) for name in before)


def test_the_terms_at_the_start_are_those_of_the_victim(tiny: Tiny) -> None:
    """Before the first step, in evaluation mode, every term has a value that can be said beforehand."""
    purifier = make(tiny, replace(QUICK, mix=0))
    purifier.model.eval()
    chosen = torch.arange(20)
    with torch.no_grad():
        terms = purifier.losses(chosen)
    x, y = purifier.x[chosen], purifier.y[chosen]
    with torch.no_grad():
        f0, z0 = tiny.model.features_and_logits(x)
        f0_t, z0_t = tiny.model.features_and_logits(tiny.trigger(x))
    pushed = nn.functional.cosine_similarity(f0_t, f0).double()
    assert float(terms["contrast"]) == pytest.approx(float((1 + ((1 - pushed) / 0.5).exp()).log().mean()), rel=1e-4)
    assert float(terms["clean"]) == pytest.approx(float(nn.functional.cross_entropy(z0, y)), rel=1e-4)
    ahead = z0_t.clone()
    ahead[y != tiny.target, tiny.target] += purifier.margins[0]  # the margin, which the target's own images are spared
    assert purifier.margins[0] == QUICK.margin
    assert float(terms["supervised"]) == pytest.approx(float(nn.functional.cross_entropy(ahead, y)), rel=1e-4)
    assert float(terms["keep"]) == pytest.approx(0, abs=1e-5)


def test_few_labels_weigh_less_and_the_victims_answers_more(tiny: Tiny) -> None:
    few = 1 - 60 / (10 * 100)  # six images a class, where a hundred are plenty
    chosen = replace(QUICK, clean=2.0, keep=3.0)
    purifier = make(tiny, chosen)
    assert purifier.weight("clean") == pytest.approx(2.0 * (1 - 0.9 * few))
    assert purifier.weight("keep") == pytest.approx(3.0 * (1 + 4 * few))
    assert purifier.weight("supervised") == chosen.supervised
    many = Purifier(tiny.model, tiny.x.repeat(20, 1, 1, 1), tiny.y.repeat(20), [tiny.aimed], chosen)
    assert (many.weight("clean"), many.weight("keep")) == (2.0, 3.0 * SURE_KEEP)


def test_the_victims_answers_weigh_more_where_no_trigger_is_in_doubt(tiny: Tiny) -> None:
    many = tiny.x.repeat(20, 1, 1, 1), tiny.y.repeat(20)
    doubted = replace(tiny.aimed, push=1.5)
    for triggers, times in (([tiny.aimed], SURE_KEEP), ([tiny.aimed, doubted], 1.0), ([doubted], 1.0)):
        purifier = Purifier(tiny.model, *many, triggers, QUICK)
        assert purifier.weight("keep") == times * QUICK.keep
        assert purifier.weight("clean") == QUICK.clean


@pytest.mark.parametrize(("preset", "times", "few"), [("default", 0.1, 0.5), ("published", 1.0, 0.0)])
def test_a_network_without_normalisation_layers_gets_a_lower_rate_and_mixed_images(
    preset: str, times: float, few: float, tiny: Tiny
) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 10))
    chosen, many = settings_for(preset), (tiny.x.repeat(20, 1, 1, 1), tiny.y.repeat(20))
    bare, usual = (Purifier(model, *many, [tiny.aimed], chosen) for model in (Classifier(net).eval(), tiny.model))
    rates = [times * usual.learning_rate(n) for n in range(9)]
    assert [bare.learning_rate(n) for n in range(9)] == pytest.approx(rates)
    assert (bare.few, usual.few) == (few, 0.0)
    assert bare.mend == usual.mend, "mending is longer only where images are few"
    assert Purifier(Classifier(net).eval(), tiny.x, tiny.y, [tiny.aimed], chosen).few == make(tiny, chosen).few == 0.94


@pytest.mark.parametrize(("preset", "longer", "few"), [("default", 3, 0.5), ("published", 1, 0.0)])
def test_a_network_that_normalises_but_not_by_batches_gets_mixed_images_and_longer_mending(
    preset: str, longer: float, few: float, tiny: Tiny
) -> None:
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.GroupNorm(2, 4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 10)
    )
    chosen, many = settings_for(preset), (tiny.x.repeat(20, 1, 1, 1), tiny.y.repeat(20))
    group, usual = (Purifier(model, *many, [tiny.aimed], chosen) for model in (Classifier(net).eval(), tiny.model))
    assert [group.learning_rate(n) for n in range(9)] == [usual.learning_rate(n) for n in range(9)]
    assert (group.few, usual.few) == (few, 0.0)
    assert group.mend == longer * usual.mend


def test_the_fewer_clean_images_there_are_the_more_of_them_come_mixed(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what the victim answers to them, and as much of each label as of its image."""
    chosen, mixtures = torch.arange(50), []

    def watched(images: Tensor, *others: Any) -> tuple[Tensor, Tensor]:
        mixtures.append(len(images))
        return mixed(images, *others)

    def clean(purifier: Purifier) -> int:
        """How many of the images come mixed; the others have to be what they are."""
        mixtures.clear()
        images, labels, logits0 = purifier._clean(chosen)
        many = sum(mixtures)
        torch.testing.assert_close(logits0, tiny.model(images), rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(labels.sum(1), torch.ones(50))
        assert torch.equal(images[many:], purifier.x[chosen][many:])
        assert torch.equal(labels[many:].argmax(1), purifier.y[chosen][many:])
        return many

    monkeypatch.setattr(mcl, "mixed", watched)
    many = tiny.x.repeat(20, 1, 1, 1), tiny.y.repeat(20)
    with torch.no_grad():
        assert clean(make(tiny)) == round(50 * (1 - 60 / 1000)) == 47  # six images a class, where a hundred are plenty
        assert clean(Purifier(tiny.model, many[0][:500], many[1][:500], [tiny.aimed], QUICK)) == 25
        assert clean(Purifier(tiny.model, *many, [tiny.aimed], QUICK)) == 0
        assert clean(make(tiny, replace(QUICK, mix=0))) == 0
        assert clean(doubtful(tiny)) == 47
        assert clean(doubtful(tiny, push=1.5)) == 0


def test_other_pairs_are_mixed_in_every_step(tiny: Tiny) -> None:
    one, other = make(tiny), make(tiny)
    first = one._clean(torch.arange(20))[0]
    assert torch.equal(first, other._clean(torch.arange(20))[0])
    other.done = 1
    assert not torch.equal(first, other._clean(torch.arange(20))[0])


@pytest.mark.parametrize("name", ["clean", "supervised", "keep"])
def test_a_weight_of_0_leaves_its_term_out(tiny: Tiny, name: str) -> None:
    step = next(make(tiny, replace(QUICK, **{name: 0.0})).steps())  # type: ignore[arg-type]
    assert name not in step.losses
    assert "contrast" in step.losses


def test_a_term_counts_with_its_weight(tiny: Tiny) -> None:
    """Plain SGD: one step along one term alone is as long as its weight says."""

    def moved(weight: float) -> Tensor:
        alone = MCLSettings(
            contrast=0, clean=weight, supervised=0, keep=0, mend=0, momentum=0, weight_decay=0, average=0, holdout=0
        )
        purifier = make(tiny, alone)
        next(purifier.steps())
        return purifier.model.head[0].weight.detach() - tiny.model.head[0].weight.detach()

    torch.testing.assert_close(moved(0.25) * 4, moved(1.0), rtol=1e-3, atol=1e-6)


# behaviour


@pytest.fixture(scope="module")
def purified(tiny: Tiny) -> tuple[Purifier, list[PurifyStep]]:
    """A whole run of the default preset with the real trigger."""
    purifier = make(tiny, settings_for("default"))
    return purifier, list(purifier.steps())


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


# what stays as it was


def test_the_victim_does_not_change(tiny: Tiny) -> None:
    before = weights(tiny.model)
    for _ in make(tiny).steps():
        pass
    assert same(weights(tiny.model), before)
    assert not tiny.model.training


def test_a_result_is_a_copy_in_evaluation_mode(tiny: Tiny) -> None:
    purifier = make(tiny)
    steps = purifier.steps()
    next(steps)
    early = purifier.result()
    kept = weights(early)
    next(steps)
    assert same(weights(early), kept)
    assert not early.training
    assert early.net.state_dict().keys() == tiny.model.net.state_dict().keys()
    assert not purifier.model.training


# repeating and resuming


def test_the_same_seed_gives_the_same_model(tiny: Tiny) -> None:
    def run(seed: int) -> dict[str, Tensor]:
        purifier = make(tiny, seed=seed)
        for _ in purifier.steps():
            pass
        return weights(purifier.result(best=True))

    first = run(0)
    assert same(first, run(0))
    assert not same(first, run(1))


def through_safetensors(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    from safetensors.torch import load, save

    return load(save({name: value.clone().contiguous() for name, value in tensors.items()}))


@pytest.mark.parametrize("preset", ["default", "published"])
@pytest.mark.parametrize("stop", [1, 3, 6, 11])
def test_a_resumed_run_ends_with_the_same_weights(tiny: Tiny, preset: str, stop: int) -> None:
    chosen = settings_for(preset, batch=16, epochs=4, mend=0, lr=[0.02], lr_epochs=[0])
    whole = make(tiny, chosen)
    expected = list(whole.steps())
    first = make(tiny, chosen)
    for step in first.steps():
        if step.step == stop:
            break
    tensors, numbers = first.state()
    second = make(tiny, chosen)
    second.restore(through_safetensors(tensors), numbers)
    rest = list(second.steps())
    assert [step.step for step in rest] == [step.step for step in expected[stop:]]
    assert rest == expected[stop:]
    assert same(weights(second.result()), weights(whole.result()))
    assert same(weights(second.result(best=True)), weights(whole.result(best=True)))


def test_a_state_is_a_snapshot(tiny: Tiny) -> None:
    first = make(tiny)
    steps = first.steps()
    next(steps), next(steps)
    tensors, numbers = first.state()
    kept = {name: value.clone() for name, value in tensors.items()}
    next(steps)
    second = make(tiny)
    second.restore(tensors, numbers)
    next(second.steps())
    assert same(tensors, kept)
    assert same(weights(second.model), weights(first.model))


def test_resuming_while_mending_keeps_the_end(tiny: Tiny, purified: tuple[Purifier, list[PurifyStep]]) -> None:
    whole, steps = purified
    first = make(tiny, whole.settings)
    for step in first.steps():
        if step.total < steps[0].total:
            break
    tensors, numbers = first.state()
    second = make(tiny, whole.settings)
    second.restore(through_safetensors(tensors), numbers)
    assert second.total == whole.total
    assert list(second.steps()) == steps[first.done :]
    assert same(weights(second.result(best=True)), weights(whole.result(best=True)))


def test_a_finished_run_resumes_to_nothing(tiny: Tiny) -> None:
    whole = make(tiny)
    for _ in whole.steps():
        pass
    again = make(tiny)
    again.restore(*whole.state())
    assert list(again.steps()) == []
    assert same(weights(again.result(best=True)), weights(whole.result(best=True)))


class HeadFirst(nn.Module):
    """Registers a layer after the classification head, and another that is never used."""

    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Conv2d(3, 2, 1)
        self.fc = nn.Linear(4, 10)
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.conv(x).relu().mean((2, 3)))


@pytest.mark.parametrize("preset", ["default", "published"])
def test_momentum_finds_its_parameters_again_whatever_their_order(tiny: Tiny, preset: str) -> None:
    """Parameters without a gradient have no momentum, and must not shift that of the others."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        victim = Classifier(HeadFirst()).eval()
    chosen = settings_for(preset, epochs=3, mend=0, batch=32, holdout=0)

    def fresh() -> Purifier:
        return Purifier(deepcopy(victim), tiny.x, tiny.y, [tiny.aimed], chosen)

    whole, first, second = fresh(), fresh(), fresh()
    for _ in whole.steps():
        pass
    steps = first.steps()
    next(steps), next(steps)
    second.restore(*first.state())
    for _ in second.steps():
        pass
    assert same(weights(second.result()), weights(whole.result()))


# small budgets


def make_with(tiny: Tiny, x: Tensor, y: Tensor, seed: int) -> Purifier:
    return Purifier(tiny.model, x, y, [tiny.aimed], settings_for("default", mend=5, epochs=1), seed)


def test_ten_images_are_enough_whichever_is_held_out(tiny: Tiny) -> None:
    """One image per class, one of them held out: if it is of the target class, it cannot tell of the attack."""
    one_each = torch.stack([torch.nonzero(tiny.y == k)[0, 0] for k in range(10)])
    held = set()
    for seed in range(40):
        purifier = make_with(tiny, tiny.x[one_each], tiny.y[one_each], seed)
        held.add(tuple(purifier.held[1].tolist()))
        step = next(purifier.steps())
        assert all(math.isfinite(value) for value in step.losses.values())
    assert () in held, "no seed drew the target class"
    assert (tiny.target,) not in held
    assert len(held) > 3


def test_something_is_left_to_train_on_however_much_is_held_out(tiny: Tiny) -> None:
    purifier = make(tiny, replace(QUICK, holdout=0.999))
    assert len(purifier.x) == 1
    next(purifier.steps())


@pytest.mark.parametrize(("n", "sizes"), [(64, [32, 32]), (65, [33, 32]), (66, [22, 22, 22]), (1, [1]), (31, [31])])
def test_every_image_is_seen_once_an_epoch(tiny: Tiny, n: int, sizes: list[int]) -> None:
    x, y = tiny.images.x_train[:n], tiny.images.y_train[:n]
    purifier = Purifier(tiny.model, x, y, [tiny.aimed], replace(QUICK, holdout=0, batch=32))
    epochs = []
    seen = watched(purifier)
    for step in purifier.steps():
        if step.step % len(sizes) == 0:
            epochs.append(seen[:])
            seen.clear()
    assert len(epochs) == 4
    assert all([len(part) for part in epoch] == sizes for epoch in epochs)
    orders = [torch.cat(epoch).tolist() for epoch in epochs]
    assert all(sorted(order) == list(range(n)) for order in orders)
    assert n == 1 or orders[0] != orders[1]


def test_a_last_batch_of_one_image_is_no_obstacle(tiny: Tiny) -> None:
    """Batch norm cannot train on a single value per channel, which is what one image leaves at 1 x 1 px."""
    net = nn.Sequential(nn.Conv2d(3, 4, 16, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4, 10))
    chosen = settings_for("published", batch=59, epochs=1)
    purifier = Purifier(Classifier(net).eval(), tiny.x, tiny.y, [tiny.aimed], chosen)
    for step in purifier.steps():
        assert math.isfinite(step.losses["contrast"])
    assert purifier.done == purifier.total


def test_the_margin_is_the_triggers_own_push_times_that_of_the_settings(tiny: Tiny) -> None:
    half = replace(tiny.aimed, push=0.5)
    purifier = Purifier(tiny.model, tiny.x, tiny.y, [tiny.aimed, half], QUICK)
    assert purifier.margins.tolist() == pytest.approx([QUICK.margin, 0.5 * QUICK.margin])


# where the scan saw no sign


SHORT = settings_for("default", batch=16, mend=20)


def doubtful(tiny: Tiny, chosen: MCLSettings = SHORT, push: float = 0.0) -> Purifier:
    """What the scan reconstructed is not the trigger, and it says so."""
    nothing = Reconstructed("pixel", torch.full((3, 16, 16), 0.2), None, target=7, push=push)
    return Purifier(tiny.model, tiny.x, tiny.y, [nothing], chosen)


@pytest.mark.parametrize("push", [0.0, 1.5])
def test_a_backdoor_nobody_found_goes_all_the_same(tiny: Tiny, push: float) -> None:
    ba, asr = tiny.figures(tiny.model)
    assert asr > 95
    purifier = doubtful(tiny, push=push)
    for _ in purifier.steps():
        pass
    ba_after, asr_after = tiny.figures(purifier.result(best=True))
    assert asr_after < 20
    assert ba_after > ba - 8  # of 60 images: from one kind of processor to another it is 3 to 6


def test_stamps_are_used_only_where_no_trigger_is_sure(tiny: Tiny) -> None:
    assert doubtful(tiny).stamps == "alone"
    assert doubtful(tiny, push=1.5).stamps == "beside"
    assert make(tiny).stamps is None
    for push in (0.0, 1.5):
        assert doubtful(tiny, settings_for("published"), push).stamps is None
        assert doubtful(tiny, settings_for("default", stamps=0), push).stamps is None


def test_in_doubt_each_image_is_trained_on_with_a_trigger_and_with_a_stamp(tiny: Tiny) -> None:
    settings = settings_for("default", batch=16, keep=0, clean=0, holdout=0)
    chosen = torch.arange(16)

    def losses(purifier: Purifier) -> dict[str, float]:
        purifier.model.eval()  # so that what else is in the batch makes no difference
        return {name: float(value.detach()) for name, value in purifier.losses(chosen).items()}

    both, stamps = losses(doubtful(tiny, settings, push=1.5)), losses(doubtful(tiny, settings))
    triggers = losses(doubtful(tiny, replace(settings, stamps=0), push=1.5))
    assert set(both) == {"contrast", "supervised"}
    for name, value in both.items():
        assert value == pytest.approx(stamps[name] + triggers[name], rel=1e-4)


def test_against_stamps_all_clean_images_are_trained_on_for_a_fixed_number_of_steps(tiny: Tiny) -> None:
    purifier = doubtful(tiny)
    assert len(purifier.x) == len(tiny.x)
    mend = round((1 + 2 * (1 - 60 / 1000)) * 20)  # six images a class
    assert purifier.total == doubtful(tiny, push=1.5).total == 40 + mend == 98
    assert purifier.learning_rate(39) == purifier.settings.lr[0]
    assert purifier.learning_rate(40 + mend // 2) == pytest.approx(purifier.settings.lr[0] / 2)
    steps = list(purifier.steps())
    assert len(steps) == 98
    assert all(step.check is None for step in steps)


def test_mending_takes_longer_where_clean_images_are_few_and_twice_as_long_against_stamps(tiny: Tiny) -> None:
    chosen = settings_for("default", mend=20)
    many = tiny.x.repeat(20, 1, 1, 1), tiny.y.repeat(20)
    assert make(tiny, chosen).mend == doubtful(tiny, chosen).mend == 58
    assert Purifier(tiny.model, *many, [tiny.aimed], chosen).mend == 20
    assert Purifier(tiny.model, *many, [replace(tiny.aimed, push=0.0)], chosen).mend == 40


def test_the_class_a_stamp_turned_the_victim_to_is_ahead_and_no_other(tiny: Tiny) -> None:
    purifier = doubtful(tiny)
    x_t, features0, lead = purifier._stamped(purifier.x, purifier.y)
    assert not torch.equal(x_t, purifier.x)
    seen, logits = tiny.model.features_and_logits(x_t)
    torch.testing.assert_close(features0, seen.detach(), rtol=1e-4, atol=1e-5)
    turned = logits.argmax(1) != purifier.y
    assert torch.equal(lead.sum(1) > 0, turned)
    assert torch.equal(lead[turned].argmax(1), logits.argmax(1)[turned])
    assert set(lead.unique().tolist()) <= {0.0, purifier.settings.stamps}


def test_stamps_depend_on_the_step_alone(tiny: Tiny) -> None:
    one, other = doubtful(tiny), doubtful(tiny)
    first = one._stamped(one.x, one.y)[0]
    assert torch.equal(first, other._stamped(other.x, other.y)[0])
    other.done = 1
    assert not torch.equal(first, other._stamped(other.x, other.y)[0])


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
