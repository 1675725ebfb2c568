"""MCL as published: its schedule, its loss alone, and what it leaves alone."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from core.defenses.mcl import settings_for
from core.defenses.mcl.published import Published
from core.defenses.mcl.settings import PublishedSettings
from core.models.classifier import Classifier
from tests.core.defenses.mcl.purifiers import EPOCHS, published, same, watched, weights
from tests.core.tiny import Tiny


def settings(data: str = "", **changes: object) -> PublishedSettings:
    chosen = settings_for("published", data, **changes)
    assert isinstance(chosen, PublishedSettings)
    return chosen


@pytest.mark.parametrize(
    ("data", "rates"),
    [
        ("cifar10", {0: 0.1, 1: 0.01, 9: 0.01, 10: 0.001, 19: 0.001}),
        ("gtsrb", {0: 0.01, 1: 0.01, 2: 0.001, 9: 0.001, 10: 0.0001, 19: 0.0001}),
    ],
)
def test_the_published_learning_rates(tiny: Tiny, data: str, rates: dict[int, float]) -> None:
    purifier = published(tiny, settings(data, batch=16))
    epoch = math.ceil(60 / 16)
    assert purifier.total == 20 * epoch
    for number, rate in rates.items():
        assert purifier.learning_rate(number * epoch) == rate
        assert purifier.learning_rate(number * epoch + epoch - 1) == rate


def test_steps_tell_their_rate_and_their_number(tiny: Tiny) -> None:
    steps = list(published(tiny, settings(epochs=2)).steps())
    assert [step.lr for step in steps] == [0.1, 0.01]
    assert [(step.step, step.total) for step in steps] == [(1, 2), (2, 2)]
    assert all(step.check is None for step in steps), "nothing is held out"


def test_a_step_is_one_of_sgd_with_momentum_and_weight_decay(tiny: Tiny) -> None:
    """Against torch's own optimiser and a loss written anew, at the rates that are told."""
    chosen = replace(EPOCHS, weight_decay=0.05)
    ours, theirs = published(tiny, chosen), published(tiny, chosen).model
    seen = watched(ours)
    optimiser = torch.optim.SGD(theirs.parameters(), lr=1.0, momentum=0.9, weight_decay=0.05)
    for step in ours.steps():
        optimiser.param_groups[0]["lr"] = step.lr
        x = tiny.x[seen[-1]].float() / 255
        with torch.no_grad():
            f0, _ = tiny.model.features_and_logits(x)
            f0_t, _ = tiny.model.features_and_logits(tiny.trigger(x))
        f, _ = theirs.train().features_and_logits(tiny.trigger(x))
        up, down = (nn.functional.cosine_similarity(f, other).div(0.5).exp() for other in (f0, f0_t))
        optimiser.zero_grad()
        loss = -(up / (up + down)).log().mean()
        loss.backward()
        optimiser.step()
        assert step.losses == {"contrast": pytest.approx(float(loss.detach()), rel=1e-3)}
        if step.step == 5:
            break
    expected = weights(theirs)
    for name, value in weights(ours.model).items():
        torch.testing.assert_close(value, expected[name], rtol=1e-3, atol=1e-5, msg=name)


def test_it_is_the_contrast_alone_and_leaves_the_last_layer_as_it_was(tiny: Tiny) -> None:
    """Not even weight decay touches it: SGD passes over parameters without a gradient."""
    assert settings().weight_decay > 0
    purifier = published(tiny)
    before = weights(tiny.model)
    assert all(set(step.losses) == {"contrast"} for step in purifier.steps())
    after = weights(purifier.result(best=True))
    unchanged = {name for name in before if torch.equal(before[name], after[name])}
    assert unchanged == {"fc.weight", "fc.bias"}


def test_the_attack_of_a_badnets_victim_is_there_before_and_gone_after(tiny: Tiny) -> None:
    assert tiny.figures(tiny.model)[1] > 95
    purifier = published(tiny, settings(batch=16))
    for _ in purifier.steps():
        pass
    assert tiny.figures(purifier.result())[1] < 20


def test_the_result_is_the_model_after_the_last_step(tiny: Tiny) -> None:
    purifier = published(tiny)
    for _ in purifier.steps():
        pass
    assert same(weights(purifier.result(best=True)), weights(purifier.model))


def test_only_the_first_trigger_counts_and_without_one_nothing_can_be_done(tiny: Tiny) -> None:
    dark = replace(tiny.aimed, mask=torch.ones(1, 16, 16), pattern=torch.zeros(3, 16, 16))
    several = Published(tiny.model, tiny.x, tiny.y, [tiny.aimed, dark], EPOCHS)
    for one, other in zip(several.steps(), published(tiny).steps(), strict=True):
        assert one == other
    with pytest.raises(ValueError, match="trigger"):
        Published(tiny.model, tiny.x, tiny.y, [], EPOCHS)


def test_batches_are_full_but_for_the_last(tiny: Tiny) -> None:
    purifier = published(tiny)
    seen = watched(purifier)
    for _ in purifier.steps():
        pass
    assert [len(part) for part in seen] == 3 * [16, 16, 16, 12]
    orders = [torch.cat(seen[first : first + 4]).tolist() for first in (0, 4, 8)]
    assert all(sorted(order) == list(range(60)) for order in orders)


def test_a_last_batch_of_one_image_is_no_obstacle(tiny: Tiny) -> None:
    """Batch norm cannot train on a single value per channel, which is what one image leaves at 1 x 1 px."""
    net = nn.Sequential(nn.Conv2d(3, 4, 16, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4, 10))
    purifier = Published(Classifier(net).eval(), tiny.x, tiny.y, [tiny.aimed], settings(batch=59, epochs=1))
    for step in purifier.steps():
        assert math.isfinite(step.losses["contrast"])
    assert purifier.done == purifier.total
