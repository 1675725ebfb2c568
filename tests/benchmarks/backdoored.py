"""Victims for ``cures``, made in minutes on a CPU: a clean network, poisoned by a short training more.

``python -m tests.benchmarks.backdoored FOLDER ARCH ATTACK SEED TARGET [--rate R] [--epochs N] [--images N] [--lr R]
[--base-seed N] [--attack-set NAME=VALUE ...]`` trains the clean network of the base seed on CIFAR-10 once, keeps it in
FOLDER, goes on with poisoned images and writes weights and card there, as ``train`` does. ``DISSOLVE_VICTIMS=FOLDER``
shows them to ``cures``. With "clean" for the attack it goes on without one: a network of the same making, for false
alarms.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from core.attacks import make_trigger
from core.attacks.poisoning import poison
from core.attacks.training import TrainSettings, train
from core.data import load
from core.data.imageset import ImageSet
from core.metrics import attack_success_rate, benign_accuracy
from core.models import build
from core.models.classifier import Classifier
from core.models.evaluate import answers
from core.models.weights import save_weights
from core.victims import Card

CLEAN = TrainSettings(epochs=10, lr=0.2, shift=4, flip=True)
MEASURED = 3000  # test images
POISONED_SEED = 50  # added to the seed: the images of the second training are not those of the first


@dataclass(frozen=True)
class Recipe:
    """``rate``: share of the images that are poisoned (of the target class, for a clean-label attack).

    ``images``: of either training, drawn by the seed. ``settings``: of the attack.
    """

    arch: str
    attack: str
    seed: int
    target: int
    rate: float = 0.1
    epochs: int = 3
    lr: float = 0.05
    images: int = 10_000
    settings: dict[str, Any] | None = None

    @property
    def name(self) -> str:
        return f"{self.arch.replace('/', '_')}-{self.attack}-{self.seed}"


def clean(
    images: ImageSet, arch: str, seed: int, folder: Path, count: int = 20_000, how: TrainSettings = CLEAN
) -> Classifier:
    """The clean network of a seed, trained the first time it is asked for."""
    file = folder / f"base-{arch.replace('/', '_')}-{seed}.pt"
    torch.manual_seed(seed)
    model = Classifier(build(arch, images.num_classes), images.mean, images.std).on(torch.device("cpu"))
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if file.exists():
        model.net.load_state_dict(torch.load(file, weights_only=True))
        return model.eval()
    x, y = _drawn(images, count, seed)
    for _ in train(model, x, y, how, seed):
        pass
    torch.save(model.net.state_dict(), file)
    return model


def _drawn(images: ImageSet, count: int, seed: int) -> tuple[Tensor, Tensor]:
    chosen = torch.randperm(len(images.x_train), generator=torch.Generator().manual_seed(seed))[:count]
    return images.x_train[chosen], images.y_train[chosen]


def make(recipe: Recipe, images: ImageSet, base: Classifier, folder: Path) -> Card:
    """Trains ``base`` on, in place, on images of which some are poisoned; writes weights and card to ``folder``."""
    x, y = _drawn(images, recipe.images, recipe.seed + POISONED_SEED)
    trigger = None
    if recipe.attack != "clean":
        trigger = make_trigger(recipe.attack, images.size, **(recipe.settings or {}))
        x, y, _ = poison(x, y, trigger, recipe.target, recipe.rate, recipe.seed)
    how = TrainSettings(epochs=recipe.epochs, lr=recipe.lr, shift=4, flip=True)
    for _ in train(base, x, y, how, recipe.seed):
        pass
    tests, labels = images.x_test[:MEASURED], images.y_test[:MEASURED]
    attacked = attack_success_rate(answers(base, tests, trigger), labels, recipe.target) if trigger else 0.0
    out = folder / f"{recipe.name}.safetensors"
    save_weights(out, base.net.state_dict())
    card = Card(
        name=recipe.name, data=images.name, attack=recipe.attack, attack_settings=recipe.settings or {},
        target=recipe.target, target_name=images.class_names[recipe.target], arch=recipe.arch,
        classes=images.num_classes, mean=images.mean, std=images.std, seed=recipe.seed, poison_rate=recipe.rate,
        training=asdict(how), train_images=recipe.images, ba=round(benign_accuracy(answers(base, tests), labels), 2),
        asr=round(attacked, 2), sha256=hashlib.sha256(out.read_bytes()).hexdigest(),
        versions={"python": platform.python_version(), "torch": torch.__version__.split("+")[0]},
    )  # fmt: skip
    out.with_suffix(".json").write_text(json.dumps(asdict(card), indent=2) + "\n")
    return card


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.backdoored", description=__doc__.split("\n\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("arch")
    parser.add_argument("attack")
    parser.add_argument("seed", type=int)
    parser.add_argument("target", type=int)
    for name, kind in (("rate", float), ("epochs", int), ("lr", float), ("images", int)):
        parser.add_argument(f"--{name}", type=kind, default=getattr(Recipe, name))
    parser.add_argument("--base-seed", type=int, default=0, help="of the clean network")
    parser.add_argument("--attack-set", action="append", default=[], metavar="NAME=VALUE")
    given = vars(parser.parse_args(argv))
    folder, base_seed = given.pop("folder"), given.pop("base_seed")
    pairs = dict(pair.split("=", 1) for pair in given.pop("attack_set"))
    recipe = Recipe(**given, settings={name: json.loads(value) for name, value in pairs.items()})
    folder.mkdir(parents=True, exist_ok=True)
    images = load("cifar10")
    card = make(recipe, images, clean(images, recipe.arch, base_seed, folder), folder)
    print(f"{card.name}: BA {card.ba} %, ASR {card.asr} %", file=sys.stderr)


if __name__ == "__main__":
    main()
