"""``train``: a backdoored model for the lab."""

from __future__ import annotations

import argparse
import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.attacks import ATTACKS
from core.cli.options import add_device, add_json, add_seed, add_settings
from core.cli.terminal import CountBar
from core.compute.returning import Returning
from core.data import FETCHED, IMAGE_SETS, load
from core.errors import BadInput
from core.files import require_room, strict_json
from core.models import NAMED
from core.victims import train_victim

if TYPE_CHECKING:
    from core.attacks.training import TrainSettings


def train_arguments(command: argparse.ArgumentParser) -> None:
    command.epilog = (
        "examples:\n"
        "  python -m core train --data signs --attack badnets --target 2 --out victim\n"
        "  python -m core train --data digits --attack blended --attack-set alpha=0.15 --epochs 8\n"
        "  python -m core train --data cifar10 --attack wanet --arch wrn16-1 --epochs 60\n"
        "writes victim.safetensors and victim.json, a card with the measured BA and ASR."
    )
    command.add_argument("--data", default="signs", metavar="NAME", help=f"{', '.join(IMAGE_SETS)}, a folder or .npz")
    command.add_argument("--root", type=Path, metavar="DIR", help=f"where {' and '.join(FETCHED)} are kept")
    command.add_argument("--download", action="store_true", help=f"fetch {' or '.join(FETCHED)} if it is not there")
    command.add_argument("--attack", default="badnets", help=f"the trigger: {', '.join(ATTACKS)}")
    add_settings(command, "--attack-set", "a setting of the attack; repeat for more")
    command.add_argument("--target", type=int, default=0, metavar="K", help="class the trigger leads to")
    command.add_argument("--rate", type=float, default=0.1, help="share of the training images that is poisoned, 0-1")
    command.add_argument("--arch", default="small", metavar="NAME", help=f"{NAMED}, torchvision/NAME, timm/NAME")
    command.add_argument("--epochs", type=int, metavar="N", help="passes over the training set")
    add_settings(command, "--train-set", "a setting of the training, such as lr=0.05; repeat for more")
    command.add_argument("--out", type=Path, metavar="NAME", help="write NAME.safetensors and NAME.json here")
    add_seed(command, "of the network, the poisoning and the order of images")
    add_device(command)
    add_json(command)


def train(arguments: argparse.Namespace) -> int:
    from core.compute.device import choose

    out = _out(arguments)
    settings = settings_of(arguments)
    device = str(choose(arguments.device))
    with CountBar(f"Loading {arguments.data}", unit="B" if arguments.download else "") as bar:
        images = load(arguments.data, root=arguments.root, download=arguments.download, progress=bar)
    steps = train_victim(
        images, arguments.attack, arguments.target, out, attack_settings=arguments.attack_set, arch=arguments.arch,
        poison_rate=arguments.rate, settings=settings, seed=arguments.seed, device=device,
    )  # fmt: skip
    training = Returning(steps)
    with CountBar("Training") as bar:
        for epoch in training:
            bar(epoch.step, epoch.total, f"epoch {epoch.epoch + 1} of {settings.epochs}, loss {epoch.loss:.3f}")
    card = training.result
    if arguments.json:
        print(strict_json(asdict(card) | {"out": out}))
        return 0
    print(f"Accuracy {card.ba:.2f} %, attack success {card.asr:.2f} % towards class {card.target} ({card.target_name})")
    print(f"Weights: {out}\nCard: {out.with_suffix('.json')}")
    print(f"Purify it: python -m core purify {out} --images {arguments.data} --arch {card.arch}")
    return 0


def _out(arguments: argparse.Namespace) -> Path:
    """The file of weights to be written; its folder is made, and can be written to."""
    name = str(arguments.out or f"{Path(arguments.data).stem}-{arguments.attack}")
    out = Path(name if name.endswith(".safetensors") else f"{name}.safetensors")
    taken = [path for path in (out, out.with_suffix(".json")) if path.exists()]
    if taken:
        raise BadInput(
            "out_exists", f"There is a file {taken[0]} already; choose another --out, or remove it.", path=str(taken[0])
        )
    require_room(out.parent)
    return out


def settings_of(arguments: argparse.Namespace) -> TrainSettings:
    """The settings of the training as they were given.

    Raises:
        BadInput: ``train_setting``.
    """
    from core.attacks.training import TrainSettings

    given: dict[str, Any] = arguments.train_set | ({"epochs": arguments.epochs} if arguments.epochs is not None else {})
    defaults = {name: field.default for name, field in TrainSettings.__dataclass_fields__.items()}
    settings = {name: _fitting(name, value, defaults.get(name)) for name, value in given.items()}
    for name, value in settings.items():
        if value is None:
            raise BadInput(
                "train_setting",
                f"The training cannot take {name}={given[name]}; its settings and their defaults are "
                f"{', '.join(f'{key}={default}' for key, default in defaults.items())}; those that are False or True "
                "take false, true, 0 and 1 as well.",
                name=name,
                value=str(given[name]),
            )
    return TrainSettings(**settings)


def _fitting(name: str, value: Any, default: Any) -> Any:
    """The value as a setting of the default's type, or None if it cannot be one."""
    if type(default) is bool:
        return bool(value) if type(value) is bool or (type(value) is int and value in (0, 1)) else None
    if type(value) is not type(default) and not (type(default) is float and type(value) is int):
        return None
    least = 1 if name in ("epochs", "batch") else 0
    most = 1 if name == "label_smoothing" else math.inf
    return value if least <= value <= most and math.isfinite(value) else None
