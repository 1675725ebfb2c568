"""MCL against its formula and its published schedule: the loss, its terms and their weights, and a step of it."""

from __future__ import annotations

import math
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
from core.defenses.mcl import SURE_KEEP, Purifier, contrast
from core.defenses.mixing import mixed
from core.defenses.settings import MCLSettings, settings_for
from core.models.classifier import Classifier
from tests.core.defenses.purifiers import QUICK, doubtful, make, watched, weights
from tests.core.tiny import Tiny

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
