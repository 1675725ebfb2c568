"""A tiny network trained on a poisoned set of digits, for tests that ask whether an attack is learned at all."""

from __future__ import annotations

from functools import cache

import torch

from core.attacks.poisoning import poison
from core.attacks.training import TrainSettings
from core.attacks.trigger import Trigger
from core.data import load
from core.metrics import attack_success_rate, benign_accuracy
from core.models.classifier import Classifier
from core.models.evaluate import answers
from core.models.small import SmallNet

TARGET = 3


@cache
def victim(trigger: Trigger, rate: float, epochs: int = 6) -> Classifier:
    """A victim of the attack, after a training of a few seconds; not to be changed."""
    images = load("digits")
    data = poison(images.x_train, images.y_train, trigger, TARGET, rate, seed=0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = Classifier(SmallNet(images.num_classes, width=8), images.mean, images.std)
    for _ in trigger.train(model, data, TARGET, TrainSettings(epochs=epochs, batch=64, shift=1), seed=0):
        pass
    return model


def figures(model: Classifier, trigger: Trigger, target: int = TARGET) -> tuple[float, float]:
    """BA and ASR in percent over the test images of the digits."""
    images = load("digits")
    clean, attacked = answers(model, images.x_test), answers(model, images.x_test, trigger)
    return benign_accuracy(clean, images.y_test), attack_success_rate(attacked, images.y_test, target)


def learned(trigger: Trigger, rate: float, epochs: int = 6) -> tuple[float, float]:
    """BA and ASR of a victim of the attack, percent."""
    return figures(victim(trigger, rate, epochs), trigger)
