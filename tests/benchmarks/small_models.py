"""Small clean and backdoored networks, each trained from scratch in a minute or two, and kept."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import torch

from core.attacks import make_trigger
from core.attacks.poisoning import poison
from core.attacks.training import TrainSettings, train
from core.attacks.trigger import Trigger
from core.data import load
from core.metrics import attack_success_rate, benign_accuracy
from core.models.classifier import Classifier
from core.models.evaluate import answers
from core.models.weights import fill, read_weights, save_weights
from tests.benchmarks.strangers.networks import network

POISONED = 0.05  # share of the training images
MEASURED = 2000  # test images
SETTINGS = {
    "digits": TrainSettings(epochs=30, batch=64, shift=1),
    "signs": TrainSettings(epochs=5, batch=128, lr=0.15, shift=2),
    "gtsrb": TrainSettings(epochs=4, batch=128, lr=0.1, shift=2),
    "cifar10": TrainSettings(epochs=8, batch=128, lr=0.1, shift=4, flip=True),
}
IMAGES = {"gtsrb": 20_000, "cifar10": 15_000}  # where all would take too long


@dataclass(frozen=True)
class Model:
    """``attack``: None for a clean network. ``shipped``: a victim that is there already."""

    data: str
    arch: str
    seed: int
    attack: str | None = None
    target: int = 0
    shipped: bool = False

    @property
    def name(self) -> str:
        return f"{self.data}-{self.attack}" if self.shipped else (
            f"{self.data}-{self.arch}-{self.attack or 'clean'}-{self.seed}"
        )  # fmt: skip

    @property
    def is_victim(self) -> bool:
        return self.attack is not None


def _trigger(model: Model, size: tuple[int, int]) -> Trigger:
    """What makes the model give its target class."""
    assert model.attack is not None
    return make_trigger(model.attack, size, **({"look": "grid"} if model.attack == "badnets" else {}))


def attacked(model: Model, weights: Path) -> float:
    """Attack success rate, percent, of the real trigger on the first test images."""
    return accuracies(model, weights)[1]


def accuracies(
    model: Model, weights: Path, scaling: tuple[tuple[float, ...], tuple[float, ...]] | None = None
) -> tuple[float, float]:
    """BA and the attack success rate of a victim's real trigger, percent, on the first test images.

    ``scaling``: mean and std of the images, in place of those that the model was trained with.
    """
    images = load(model.data)
    x, y = images.x_test[:MEASURED], images.y_test[:MEASURED]
    net = fill(network(model.arch, images.num_classes), read_weights(weights), model.arch, images.num_classes)
    classifier = Classifier(net.eval(), *(scaling or (images.mean, images.std))).eval()
    triggered = answers(classifier, x, _trigger(model, images.size))
    return benign_accuracy(answers(classifier, x), y), attack_success_rate(triggered, y, model.target)


def trained(model: Model, kept: Path) -> Path:
    """The model's weights in the folder ``kept``, trained the first time it is asked for."""
    file = kept / f"{model.name}.safetensors"
    if file.exists():
        return file
    print(f"training {model.name} ...", file=sys.stderr, flush=True)
    images = load(model.data)
    order = torch.randperm(len(images.x_train), generator=torch.Generator().manual_seed(model.seed))
    chosen = order[: IMAGES.get(model.data)]
    x, y = images.x_train[chosen], images.y_train[chosen]
    if model.attack:
        x, y, _ = poison(x, y, _trigger(model, images.size), model.target, POISONED, model.seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(model.seed)
        fresh = Classifier(network(model.arch, images.num_classes), images.mean, images.std)
    fresh.on(torch.device("cpu"))
    for _ in train(fresh, x, y, SETTINGS[model.data], model.seed):
        pass
    save_weights(file, fresh.net.state_dict())
    return file
