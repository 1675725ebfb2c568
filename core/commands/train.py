"""``train``: a backdoored model for the lab."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.commands.terminal import CountBar
from core.data import load
from core.errors import BadInput
from core.runs.files import strict_json
from core.victims import Card, train_victim

if TYPE_CHECKING:
    from core.attacks.training import TrainSettings


def train(arguments: argparse.Namespace) -> int:
    from core.device import choose

    out = _out(arguments)
    settings = _settings(arguments)
    device = str(choose(arguments.device))
    with CountBar(f"Loading {arguments.data}", unit="B" if arguments.download else "") as bar:
        images = load(arguments.data, root=arguments.root, download=arguments.download, progress=bar)
    steps = train_victim(
        images, arguments.attack, arguments.target, out, attack_settings=arguments.attack_set, arch=arguments.arch,
        poison_rate=arguments.rate, settings=settings, seed=arguments.seed, device=device,
    )  # fmt: skip
    card = None
    with CountBar("Training") as bar:
        for event in steps:
            if isinstance(event, Card):
                card = event
            else:
                bar(event.step, event.total, f"epoch {event.epoch + 1} of {settings.epochs}, loss {event.loss:.3f}")
    assert card is not None, "a training ends with its card"
    if arguments.json:
        print(strict_json(asdict(card) | {"out": out}))
        return 0
    print(f"Accuracy {card.ba:.2f} %, attack success {card.asr:.2f} % towards class {card.target} ({card.target_name})")
    print(f"Weights: {out}\nCard: {out.with_suffix('.json')}")
    print(f"Purify it: python -m core purify {out} --images {arguments.data} --arch {card.arch}")
    return 0


def _out(arguments: argparse.Namespace) -> Path:
    """The file of weights to be written; its folder is made."""
    name = str(arguments.out or f"{Path(arguments.data).stem}-{arguments.attack}")
    out = Path(name if name.endswith(".safetensors") else f"{name}.safetensors")
    taken = [path for path in (out, out.with_suffix(".json")) if path.exists()]
    if taken:
        raise BadInput(
            "out_exists", f"There is a file {taken[0]} already; choose another --out, or remove it.", path=str(taken[0])
        )
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(
            "folder_not_writable",
            f"The folder {out.parent} cannot be made ({error.strerror}); choose another --out.",
            path=str(out.parent),
            reason=str(error.strerror),
        ) from None
    return out


def _settings(arguments: argparse.Namespace) -> TrainSettings:
    from core.attacks.training import TrainSettings

    given: dict[str, Any] = arguments.train_set | ({"epochs": arguments.epochs} if arguments.epochs is not None else {})
    allowed = TrainSettings.__dataclass_fields__
    for name, value in given.items():
        kind = type(allowed[name].default) if name in allowed else None
        fits = type(value) is kind or (kind is float and type(value) is int)
        if not fits or (name in ("epochs", "batch") and value < 1):
            raise BadInput(
                "train_setting",
                f"The training cannot take {name}={value}; its settings and their defaults are "
                f"{', '.join(f'{key}={field.default}' for key, field in allowed.items())}.",
                name=name,
                value=str(value),
            )
    return TrainSettings(**given)
