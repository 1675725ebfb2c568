"""The search for a rate that the network bears: what makes it fall, where it stops, and that it can be resumed."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from core.defenses.fine_tuning import FineTuning
from core.errors import BadInput
from core.training.rate_search import WINDOW, SearchedSettings
from tests.core.tiny import Tiny

# without a limit on the gradient, so that a rate can be far too high
QUICK = SearchedSettings(lr=0.05, epochs=1, batch=20, least=30, clip=0)
TOO_HIGH = replace(QUICK, lr=8.0, least_lr=0.05)


def make(tiny: Tiny, settings: SearchedSettings = QUICK) -> FineTuning:
    return FineTuning(tiny.model, tiny.x, tiny.y, (), settings)


def weights(tuning: FineTuning) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in tuning.result(best=True).net.state_dict().items()}


def test_a_rate_that_is_borne_stays(tiny: Tiny) -> None:
    tuning = make(tiny)
    rates = [step.lr for step in tuning.steps()]
    assert len(rates) == tuning.total == 30
    assert rates[0] == QUICK.lr
    assert rates == sorted(rates, reverse=True)


def test_a_rate_that_is_too_high_is_halved_until_the_clean_loss_stays_low(tiny: Tiny) -> None:
    tuning = make(tiny, TOO_HIGH)
    steps, shares = [], [1.0]
    for step in tuning.steps():
        steps.append(step)
        shares.append(tuning.share)
    tried = sorted(set(shares), reverse=True)
    assert len(tried) > 1, "it began anew"
    assert tried == [0.5**k for k in range(len(tried))]
    assert all(step.lr <= TOO_HIGH.lr * share for step, share in zip(steps, shares, strict=False))
    assert [step.step for step in steps] == list(range(1, len(steps) + 1))
    assert len(steps) == steps[-1].total
    last = [step.losses["clean"] for step in steps[-30:]]
    assert max(sum(last[k : k + WINDOW]) / WINDOW for k in range(20)) < 0.3 + TOO_HIGH.rise
    unlimited = make(tiny, replace(TOO_HIGH, rise=0))
    for _ in unlimited.steps():
        pass
    assert tiny.figures(tuning.result(best=True))[0] > 40, "58, of a schedule of 30 steps"
    assert tiny.figures(unlimited.result(best=True))[0] < 20, "9"


def test_a_schedule_that_begins_anew_begins_as_one_at_that_rate_alone(tiny: Tiny) -> None:
    """Nothing of the abandoned one is left but the order of the images, of which all are in each batch here."""
    whole = {"batch": 60, "shift": 0}
    found = make(tiny, replace(TOO_HIGH, **whole, least_lr=TOO_HIGH.lr / 2))
    steps = found.steps()
    while not found.abandoned:
        next(steps)
    alone = make(tiny, replace(TOO_HIGH, **whole, lr=TOO_HIGH.lr / 2, rise=0))
    others = alone.steps()
    for _ in range(2):
        again, first = next(steps), next(others)
        assert again.lr == pytest.approx(first.lr)
        assert again.losses["clean"] == pytest.approx(first.losses["clean"], rel=1e-3)


def test_without_a_limit_and_at_the_lowest_rate_nothing_begins_anew(tiny: Tiny) -> None:
    for settings in (replace(TOO_HIGH, lr=1.0, rise=0), replace(TOO_HIGH, lr=1.0, least_lr=1.0)):
        tuning = make(tiny, settings)
        assert len(list(tuning.steps())) == 30
        assert tuning.share == 1.0


def test_a_training_that_diverges_is_tried_at_a_lower_rate_and_fails_at_the_lowest(tiny: Tiny) -> None:
    diverging = replace(QUICK, lr=1e30, least_lr=1e30)
    with pytest.raises(BadInput) as caught:
        list(make(tiny, diverging).steps())
    assert caught.value.code == "training_diverged"
    tuning = make(tiny, replace(diverging, least_lr=1e-3))
    list(tuning.steps())
    assert all(bool(value.isfinite().all()) for value in weights(tuning).values())
    assert tuning.share < 1e-20


@pytest.mark.parametrize("stopped", [4, 13, 25])
def test_a_resumed_search_ends_as_an_unbroken_one(tiny: Tiny, stopped: int) -> None:
    unbroken = make(tiny, TOO_HIGH)
    total = len(list(unbroken.steps()))
    first = make(tiny, TOO_HIGH)
    for step in first.steps():
        if step.step == stopped:
            break
    resumed = make(tiny, TOO_HIGH)
    resumed.restore(*first.state())
    rest = list(resumed.steps())
    assert rest[0].step == stopped + 1
    assert rest[-1].step == total
    assert resumed.share == unbroken.share
    for name, value in weights(resumed).items():
        assert torch.equal(value, weights(unbroken)[name]), name
