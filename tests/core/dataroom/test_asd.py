from __future__ import annotations

import numpy as np
import pytest
import torch

from core.attacks import make_trigger
from core.attacks.poisoning import poison
from core.compute.returning import returned
from core.data import load
from core.dataroom.asd import ASDSettings, asd, class_aware, lowest, symmetric_losses
from core.dataroom.seen import fresh
from core.metrics import attack_success_rate, benign_accuracy
from core.models.classifier import Classifier
from core.models.evaluate import answers, features_and_logits
from core.models.small import SmallNet
from tests.core.tiny import Tiny

TARGET = 3


def test_the_loss_of_the_splits_is_the_symmetric_cross_entropy(tiny: Tiny) -> None:
    """As Wang et al. have it: each logarithm of a label's 0 is that of 1e-4."""
    x, y = tiny.x[:20], (tiny.y[:20] + torch.arange(20) % 2) % 10
    answered = torch.softmax(features_and_logits(tiny.model, x)[1].double(), 1).numpy()
    named = np.eye(10)[y.numpy()]
    wanted = -(0.1 * named * np.log(answered) + answered * np.log(np.clip(named, 1e-4, 1))).sum(1)
    assert symmetric_losses(tiny.model, x, y).tolist() == pytest.approx(wanted.tolist(), rel=1e-3, abs=1e-4)


def test_each_class_gives_its_own_share_or_the_set_gives_it_whole() -> None:
    losses = torch.tensor([0.9, 0.1, 0.5, 0.2, 3.0, 2.0, 4.0, 5.0])
    labels = torch.tensor([0, 0, 0, 0, 1, 1, 1, 1])
    assert class_aware(losses, labels, 0.5).tolist() == [1, 3, 4, 5]
    assert class_aware(losses, labels, 0.0).tolist() == []
    assert lowest(losses, 0.5).tolist() == [0, 1, 2, 3]


def test_a_network_trained_on_poison_comes_out_clean() -> None:
    images = load("digits")
    trigger = make_trigger("badnets", images.size, look="grid")
    x, y, chosen = poison(images.x_train, images.y_train, trigger, TARGET, 0.1, seed=0)
    known = torch.cat([torch.nonzero(images.y_test == one).flatten()[:30] for one in range(10)])
    others = torch.ones(len(images.x_test), dtype=torch.bool)
    others[known] = False
    trusted = images.x_test[known], images.y_test[known]
    tested, labels = images.x_test[others], images.y_test[others]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = Classifier(SmallNet(10, width=8), images.mean, images.std)
    settings = ASDSettings(rounds=6, steps=20, batch=32, rate=0.005)
    pool = returned(asd(model, x, y, trusted, settings, 0))
    assert len(pool) == round(0.5 * len(x))
    assert torch.isin(chosen, pool).sum() < 0.1 * len(chosen)
    assert attack_success_rate(answers(model, tested, trigger), labels, TARGET) < 10
    assert benign_accuracy(answers(model, tested), labels) > 85


def test_the_seed_decides(tiny: Tiny) -> None:
    def made(seed: int) -> list[float]:
        model = fresh(tiny.images, "small", 0)
        returned(asd(model, tiny.x, tiny.y, (tiny.x, tiny.y), ASDSettings(rounds=4, steps=1, batch=8), seed))
        return [one.sum().item() for one in model.parameters()]

    assert made(0) == made(0) != made(1)
