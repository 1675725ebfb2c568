from __future__ import annotations

import pytest
import torch

from core.attacks import make_trigger
from core.attacks.poisoning import poison
from core.attacks.training import TrainSettings
from core.compute.returning import returned
from core.data import load
from core.dataroom.abl import ABLSettings, abl, ascent, isolate
from core.dataroom.seen import fresh
from core.metrics import attack_success_rate, benign_accuracy
from core.models.evaluate import answers
from tests.core.tiny import Tiny

TARGET = 3


def test_the_loss_turns_round_below_gamma() -> None:
    """Of two images with losses ln 2 and ln 4 and gamma between: (ln 4 - ln 2) / 2."""
    logits = torch.tensor([[0.0, 0.0], [0.0, float(torch.tensor(3.0).log())]], requires_grad=True)
    labels = torch.tensor([0, 0])
    loss = ascent(1.0)(logits, labels)
    assert loss.item() == pytest.approx((1.386294 - 0.693147) / 2, abs=1e-5)
    loss.backward()
    assert logits.grad is not None
    assert logits.grad[0, 0] > 0  # descent lowers the logit of the label that is learnt too well
    assert logits.grad[1, 0] < 0


def test_the_images_with_the_lowest_loss_are_isolated(tiny: Tiny) -> None:
    x, y = tiny.images.x_test[:100], tiny.images.y_test[:100]
    wrong = y.clone()
    wrong[:60] = (y[:60] + 1) % 10
    apart = isolate(tiny.model, x, wrong, 0.2)
    assert len(apart) == 20
    assert (apart >= 60).all()
    assert len(isolate(tiny.model, x, wrong, 0.001)) == 1


def test_what_is_set_apart_is_unlearnt() -> None:
    """With half of the poison set apart and the rest trained on, the attack goes only if it is unlearnt."""
    images = load("digits")
    trigger = make_trigger("badnets", images.size, look="grid")
    x, y, chosen = poison(images.x_train, images.y_train, trigger, TARGET, 0.1, seed=0)
    model = fresh(images, "small", 0)
    training = TrainSettings(epochs=5, batch=64, shift=1)
    epochs = list(abl(model, x, y, training, ABLSettings(last=2, rate=0.005), 0, chosen[: len(chosen) // 2]))
    steps = [(epoch.step, epoch.total) for epoch in epochs]
    assert steps == sorted(steps)
    assert steps[-1][0] == steps[-1][1]
    labels = images.y_test
    assert attack_success_rate(answers(model, images.x_test, trigger), labels, TARGET) < 50
    assert benign_accuracy(answers(model, images.x_test), labels) > 85


def test_without_a_filter_the_first_stage_sets_images_apart() -> None:
    images = load("digits")
    model = fresh(images, "small", 0)
    training = TrainSettings(epochs=2, batch=64, shift=1)
    assert len(returned(abl(model, images.x_train[:200], images.y_train[:200], training, ABLSettings(), 0))) == 2
