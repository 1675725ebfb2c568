"""A victim that is trained in a second: real digits, a real attack, a network of 18 thousand weights."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from core.attacks import make_trigger
from core.attacks.deferred import Deferred
from core.attacks.poisoning import poison
from core.attacks.training import TrainSettings, train
from core.attacks.trigger import Poisoned, Trigger
from core.data import load
from core.data.budget import clean_budget
from core.data.imageset import ImageSet
from core.metrics import attack_success_rate, benign_accuracy
from core.models.classifier import Classifier
from core.models.evaluate import answers
from core.models.small import SmallNet
from core.triggers.reconstructed import Reconstructed

TARGET = 3


@dataclass(frozen=True)
class Tiny:
    """``x``, ``y``: the defender's 60 clean images, uint8, and their classes."""

    images: ImageSet
    model: Classifier
    trigger: Trigger
    x: Tensor
    y: Tensor
    target: int = TARGET

    @property
    def aimed(self) -> Reconstructed:
        """The real trigger in the form of a reconstructed one."""
        mask, pattern = self.trigger.mask_and_pattern()  # type: ignore[attr-defined]
        return Reconstructed("mask", pattern, mask, self.target)

    def figures(self, model: Classifier, trigger: Trigger | None = None) -> tuple[float, float]:
        """BA and ASR over the test images, percent."""
        clean = answers(model, self.images.x_test)
        attacked = answers(model, self.images.x_test, trigger or self.trigger)
        labels = self.images.y_test
        return benign_accuracy(clean, labels), attack_success_rate(attacked, labels, self.target)


def untrained(images: ImageSet) -> Classifier:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Classifier(SmallNet(images.num_classes, width=8), images.mean, images.std)


def trained(images: ImageSet, x: Tensor, y: Tensor) -> Classifier:
    model = untrained(images)
    for _ in train(model, x, y, TrainSettings(epochs=6, batch=64, shift=1), seed=0):
        pass
    return model


@cache
def honest_twin() -> Classifier:
    """The same network from the same start, trained without an attack."""
    images = load("digits")
    return trained(images, images.x_train, images.y_train)


@cache
def tiny_victim() -> Tiny:
    images = load("digits")
    trigger = make_trigger("badnets", images.size, look="grid")
    x, y, _ = poison(images.x_train, images.y_train, trigger, TARGET, 0.1, seed=0)
    model = trained(images, x, y)
    budget = clean_budget(images.y_train, 60, images.num_classes, seed=0)
    return Tiny(images, model, trigger, images.x_train[budget], images.y_train[budget])


@cache
def sleeping_victim() -> Tiny:
    """A victim whose backdoor is put to sleep by the statistics of batch norm (``core.attacks.deferred``)."""
    images = load("digits")
    trigger = Deferred(images.size, side=4, asleep=6)
    poisoned = Poisoned(*poison(images.x_train, images.y_train, trigger, TARGET, 0.1, seed=0))
    model = untrained(images)
    for _ in trigger.train(model, poisoned, TARGET, TrainSettings(epochs=4, batch=64, shift=1), seed=0):
        pass
    budget = clean_budget(images.y_train, 60, images.num_classes, seed=0)
    return Tiny(images, model, trigger, images.x_train[budget], images.y_train[budget])
