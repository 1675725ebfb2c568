"""``python -m tests.benchmarks.strangers.train [NAME ...]``: trains what is missing of the strangers' set.

Needs CIFAR-10 and GTSRB where ``core.data`` finds them; writes below ``$DISSOLVE_HOME/strangers``.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor

from core import paths
from core.attacks.poisoning import to_uint8
from core.attacks.training import TrainSettings, train
from core.data import load
from core.data.imageset import ImageSet, as_float
from core.data.inputs import NORMALIZATIONS
from core.metrics import attack_success_rate, benign_accuracy
from core.models.classifier import Classifier
from core.models.evaluate import answers
from core.models.weights import save_weights
from tests.benchmarks.strangers import networks
from tests.benchmarks.strangers.recipes import RECIPES, Recipe, recipe
from tests.benchmarks.strangers.triggers import KINDS, Stamp


def folder() -> Path:
    """Where the trained models lie."""
    return paths.home() / "strangers"


def file_of(made: Recipe) -> Path:
    """The model's checkpoint."""
    return folder() / (made.name + (".safetensors" if made.wrapped == "safetensors" else ".pth"))


def stamp_of(made: Recipe) -> Stamp:
    """The real trigger."""
    return KINDS[made.kind](**made.settings)


def poisoned(made: Recipe, x: Tensor, y: Tensor, classes: int) -> tuple[Tensor, Tensor]:
    """``x`` uint8 (n, 3, h, w) and ``y`` (n,) with the recipe's share poisoned."""
    if made.clean:
        return x, y
    generator = torch.Generator().manual_seed(made.seed)
    eligible = torch.nonzero(y == made.target if made.clean_label else y != made.target).flatten()
    order = eligible[torch.randperm(len(eligible), generator=generator)]
    count = round(made.rate * (len(eligible) if made.clean_label else len(x)))
    chosen, covered = order[:count], order[count : count + round(made.cover * len(x))]
    x, y = x.clone(), y.clone()
    stamp = stamp_of(made)
    for part in (chosen, covered):
        x[part] = to_uint8(stamp(as_float(x[part])))
    y[chosen] = (y[chosen] + 1) % classes if made.target < 0 else made.target
    return x, y


def network(made: Recipe, classes: int) -> Classifier:
    """The recipe's network: from its base, or fresh."""
    torch.manual_seed(made.seed)
    net = networks.network(made.arch, classes)
    if made.base:
        net.load_state_dict(torch.load(folder() / f"{made.base}.tensors", weights_only=True))
    scaling = NORMALIZATIONS[made.scaling]
    return Classifier(net, *scaling).to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def measure(made: Recipe, model: Classifier, images: ImageSet) -> dict[str, float]:
    """BA and true ASR over the whole test set, percent."""
    y = images.y_test
    ba = benign_accuracy(answers(model, images.x_test), y)
    if made.clean:
        return {"ba": round(ba, 2)}
    attacked = answers(model, images.x_test, stamp_of(made))
    if made.target < 0:
        asr = 100 * float((attacked == (y + 1) % images.num_classes).float().mean())
    else:
        asr = attack_success_rate(attacked, y, made.target)
    return {"ba": round(ba, 2), "asr": round(asr, 2)}


def wrap(made: Recipe, tensors: dict[str, Tensor]) -> object:
    """The checkpoint as people write it."""
    if made.wrapped == "net":
        return {"net": tensors, "epoch": made.epochs, "lr": made.lr}
    if made.wrapped == "state_dict+module":
        inner = {f"module.{name}": value for name, value in tensors.items()}
        return {"epoch": made.epochs, "state_dict": inner, "best_prec": 0.0}
    return tensors


def make(made: Recipe) -> dict[str, float]:
    """Trains one model, measures it, writes checkpoint and figures."""
    images = load(made.data)
    generator = torch.Generator().manual_seed(made.seed)
    chosen = torch.randperm(len(images.x_train), generator=generator)[: made.images]
    x, y = poisoned(made, images.x_train[chosen], images.y_train[chosen], images.num_classes)
    model = network(made, images.num_classes)
    flip = made.data == "cifar10"
    settings = TrainSettings(epochs=made.epochs, lr=made.lr, shift=4 if flip else 2, flip=flip)
    start = time.monotonic()
    for _ in train(model, x, y, settings, made.seed):
        pass
    figures = measure(made, model.eval(), images) | {"seconds": round(time.monotonic() - start)}
    tensors = {name: value.contiguous() for name, value in model.net.state_dict().items()}
    folder().mkdir(parents=True, exist_ok=True)
    torch.save(tensors, folder() / f"{made.name}.tensors")
    if made.wrapped == "safetensors":
        save_weights(file_of(made), tensors)
    else:
        torch.save(wrap(made, tensors), file_of(made))
    (folder() / f"{made.name}.json").write_text(json.dumps(asdict(made) | figures, indent=2) + "\n")
    return figures


def main(names: list[str]) -> None:
    """Trains the named models, or all that are missing."""
    wanted = [recipe(name) for name in names] or [r for r in RECIPES if not file_of(r).exists()]
    for made in wanted:
        print(made.name, make(made), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
