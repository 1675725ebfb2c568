"""The loop that the defences share: its steps against torch's own optimiser, its batches, its rate."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from core.defenses.fine_tuning import FineTuning
from core.models.capacity import BACKWARD_FACTOR, FREE_SHARE, bytes_of
from core.models.classifier import Classifier
from core.training.rate_search import SearchedSettings
from tests.core.crowded import crowded
from tests.core.defenses.mcl.purifiers import watched
from tests.core.tiny import Tiny

QUICK = SearchedSettings(rise=0, lr=0.01, epochs=3, batch=16, least=0, clip=0)


def make(tiny: Tiny, settings: SearchedSettings = QUICK, model: Classifier | None = None) -> FineTuning:
    return FineTuning(model or tiny.model, tiny.x, tiny.y, (), settings)


def test_steps_are_those_of_torchs_sgd(tiny: Tiny) -> None:
    ours, theirs = make(tiny), make(tiny)
    seen = watched(ours)
    optimiser = torch.optim.SGD(theirs.model.parameters(), lr=1.0, momentum=0.9, weight_decay=5e-4)
    for step in ours.steps():
        optimiser.param_groups[0]["lr"] = step.lr
        theirs.model.train()
        optimiser.zero_grad()
        theirs.losses(seen[-1])["clean"].backward()
        optimiser.step()
        theirs.done += 1  # what is drawn at random depends on the step
    expected = theirs.weights()
    for name, value in ours.weights().items():
        torch.testing.assert_close(value, expected[name], rtol=1e-4, atol=1e-6, msg=name)


@pytest.mark.parametrize(("clip", "cut"), [(1e-3, True), (1e3, False), (0.0, False)])
def test_a_gradient_that_is_long_beside_the_weights_is_cut(tiny: Tiny, clip: float, cut: bool) -> None:
    """Plain SGD, one step: it is as long as the rate times the gradient, and that ``clip`` times the weights."""
    training = make(tiny, replace(QUICK, clip=clip, momentum=0, weight_decay=0, batch=60))
    before = torch.cat([p.detach().flatten() for p in training.model.net.parameters()])
    next(training.steps())
    moved = torch.cat([p.detach().flatten() for p in training.model.net.parameters()]) - before
    share = float(moved.norm() / before.norm()) / QUICK.lr
    assert (share == pytest.approx(1e-3, rel=1e-2)) is cut
    assert share > 9e-4


def test_an_epoch_is_cut_into_batches_of_like_size_and_holds_every_image_once(tiny: Tiny) -> None:
    training, again = (make(tiny, replace(QUICK, batch=50)) for _ in range(2))  # 60 images
    seen, others = watched(training), watched(again)
    steps = training.steps()
    for _ in range(3):
        next(steps)
    first, second, third = seen
    assert [len(first), len(second)] == [30, 30]
    assert torch.cat([first, second]).sort().values.tolist() == list(range(60))
    assert not torch.equal(third, first), "another epoch, another order"
    again.done = 1  # taken up again in the middle of the first epoch
    next(again.steps())
    assert torch.equal(others[0], second)


def test_batches_that_need_not_be_alike_are_full_but_for_the_last(tiny: Tiny) -> None:
    def sizes(batch: int) -> list[int]:
        training = make(tiny, replace(QUICK, batch=batch))  # 60 images
        training.equal_batches = False
        seen, steps = watched(training), training.steps()
        for _ in range(training.per_epoch):
            next(steps)
        return [len(chosen) for chosen in seen]

    assert sizes(25) == [25, 25, 10]
    assert sizes(59) == [60], "one left over joins the batch before it"
    assert sizes(60) == [60]


def test_the_rate_falls_to_nothing_along_a_cosine(tiny: Tiny) -> None:
    training = make(tiny)
    rates = [step.lr for step in training.steps()]
    assert len(rates) == 3 * 4
    assert rates[0] == QUICK.lr
    assert rates[6] == pytest.approx(QUICK.lr / 2)
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] == pytest.approx(QUICK.lr * 0.5 * (1 + math.cos(math.pi * 11 / 12)))


def test_a_small_budget_gets_its_steps_all_the_same(tiny: Tiny) -> None:
    training = make(tiny, replace(QUICK, least=30))
    steps = list(training.steps())
    assert len(steps) == steps[0].total == 30
    assert steps[15].lr == pytest.approx(QUICK.lr / 2)


def test_images_are_shifted_alike_in_the_same_step_and_otherwise_in_another(tiny: Tiny) -> None:
    training, chosen = make(tiny), torch.arange(8)
    first = training.shifted_batch(chosen)
    assert first.shape == training.x[chosen].shape
    assert not torch.equal(first, training.x[chosen])
    assert torch.equal(first, training.shifted_batch(chosen))
    training.done = 1
    assert not torch.equal(first, training.shifted_batch(chosen))
    still = make(tiny, replace(QUICK, shift=0))
    assert torch.equal(still.shifted_batch(chosen), still.x[chosen])


def test_a_loss_counts_with_its_weight(tiny: Tiny) -> None:
    """Plain SGD: a step along half of the loss is half as long."""

    def moved(weight: float) -> torch.Tensor:
        training = make(tiny, replace(QUICK, clean=weight, momentum=0, weight_decay=0))
        next(training.steps())
        return training.model.head[0].weight.detach() - tiny.model.head[0].weight.detach()

    torch.testing.assert_close(moved(0.5) * 2, moved(1.0), rtol=1e-3, atol=1e-6)


def test_batches_that_a_gpu_cannot_hold_are_halved_until_they_fit(tiny: Tiny) -> None:
    model, done = crowded(tiny.model, 10)
    training = make(tiny, model=model)
    done.clear()  # of passes before the first step, which are halved too
    steps = [step.step for step in training.steps()]
    assert steps == list(range(1, training.total + 1))
    assert set(done) == {7}  # 15 images an epoch's batch, halved once and for all
    assert len(done) == len(steps)


def test_a_batch_that_was_halved_to_next_to_nothing_is_given_up(tiny: Tiny) -> None:
    model, done = crowded(tiny.model, 1)
    with pytest.raises(torch.OutOfMemoryError):
        next(make(tiny, model=model).steps())
    assert not done


def test_other_errors_are_not_taken_for_want_of_memory(tiny: Tiny) -> None:
    training = make(tiny)
    training.y = training.y[:30]  # fewer labels than images
    with pytest.raises(IndexError):
        next(training.steps())
    assert training.max_batch == QUICK.batch + 1, "nothing was halved"


def test_a_step_takes_no_more_images_than_memory_holds(tiny: Tiny, free_memory: Callable[[float], None]) -> None:
    model, seen = crowded(tiny.model, 1000)
    free_memory(24.5 * BACKWARD_FACTOR * bytes_of(tiny.model, tiny.x[:1].float() / 255) / FREE_SHARE)
    training = make(tiny, model=model)
    seen.clear()
    for _ in zip(range(3), training.steps(), strict=False):
        pass
    assert seen[:3] == [6, 6, 6], "a fourth: each image may be there four times, triggered, clean and found"
