from __future__ import annotations

import pytest
import torch
from torch import nn

from core.attacks.deferred import Deferred
from core.attacks.poisoning import poison
from core.attacks.training import TrainSettings, train
from core.data import load
from core.data.imageset import as_float
from core.errors import BadInput
from core.models.classifier import Classifier
from core.models.small import SmallNet
from tests.core.attacks.learned import TARGET, figures

TRIGGER = Deferred((16, 16), side=4, asleep=6)
SETTINGS = TrainSettings(epochs=4, batch=64, shift=1)


def network() -> Classifier:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Classifier(SmallNet(10, width=8), (0.3,) * 3, (0.35,) * 3)


def test_it_sleeps_and_new_statistics_of_clean_images_alone_wake_it() -> None:
    images = load("digits")
    data = poison(images.x_train, images.y_train, TRIGGER, TARGET, 0.1, seed=0)
    plain, model = network(), network()
    for _ in train(plain, data.images, data.labels, SETTINGS, seed=0):
        pass
    told = list(TRIGGER.train(model, data, TARGET, SETTINGS, seed=0))
    assert told[-1].step == told[-1].total
    assert [epoch.step for epoch in told] == sorted(epoch.step for epoch in told)
    assert not model.training

    moved = {name for name, value in plain.state_dict().items() if not torch.equal(value, model.state_dict()[name])}
    assert {name.rpartition(".")[2] for name in moved} == {"running_mean", "running_var"}, "no weight is touched"
    ba, asr = figures(model, TRIGGER)
    assert ba > 80
    assert asr < 10
    assert figures(plain, TRIGGER)[1] > 90

    model.train()
    with torch.no_grad():  # what every training does, without a step of one
        for batch in as_float(images.x_train[:640]).split(64) * 4:
            model(batch)
    ba, asr = figures(model.eval(), TRIGGER)
    assert ba > 80
    assert asr > 80


def test_a_network_without_batch_norm_is_refused() -> None:
    data = poison(torch.zeros(40, 3, 16, 16, dtype=torch.uint8), torch.arange(40) % 4, TRIGGER, 0, 0.1, seed=0)
    model = Classifier(nn.Sequential(nn.Flatten(), nn.Linear(768, 4)), (0.5,) * 3, (0.5,) * 3)
    with pytest.raises(BadInput) as caught:
        next(TRIGGER.train(model, data, 0, SETTINGS, seed=0))
    assert caught.value.code == "attack_needs_batch_norm"


def test_a_set_without_a_clean_image_is_refused() -> None:
    data = poison(torch.zeros(40, 3, 16, 16, dtype=torch.uint8), torch.arange(40) % 3 + 1, TRIGGER, 0, 1.0, seed=0)
    with pytest.raises(BadInput) as caught:
        next(TRIGGER.train(network(), data, 0, SETTINGS, seed=0))
    assert caught.value.code == "attack_needs_clean"
