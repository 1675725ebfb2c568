"""The shipped victims: small networks with a known backdoor, each with a card of measured figures.

A victim is ``assets/victims/<name>.safetensors`` and ``<name>.json``. Cards are light to read; torch is
imported only where a victim is loaded or trained.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Generator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core import paths
from core.data import at_hand
from core.errors import BadInput

if TYPE_CHECKING:
    from core.attacks.training import Epoch, TrainSettings
    from core.attacks.trigger import Trigger
    from core.data.imageset import ImageSet
    from core.models.classifier import Classifier

DEFAULT = "signs-badnets"


@dataclass(frozen=True)
class Card:
    """What is known of a shipped victim.

    ``ba``, ``asr``: percent over the whole test set, measured, true ASR. ``poison_rate``: share of the training
    set (of the target class for clean-label attacks). ``sha256``: of the weights' file.
    """

    name: str
    data: str
    attack: str
    attack_settings: dict[str, Any]
    target: int
    target_name: str
    arch: str
    classes: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    seed: int
    poison_rate: float
    training: dict[str, Any]
    train_images: int
    ba: float
    asr: float
    sha256: str
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def weights(self) -> Path:
        return paths.VICTIMS / f"{self.name}.safetensors"


def list_victims() -> list[Card]:
    """All shipped cards, the default first, then by name."""
    cards = [_read(path) for path in paths.VICTIMS.glob("*.json")]
    return sorted(cards, key=lambda card: (card.name != DEFAULT, not at_hand(card.data), card.name))


def card_of(name: str) -> Card:
    """The card of one shipped victim.

    Raises:
        BadInput: no such victim.
    """
    path = paths.VICTIMS / f"{name}.json"
    if "/" in name or "\\" in name or not path.is_file():
        allowed = ", ".join(sorted(p.stem for p in paths.VICTIMS.glob("*.json")))
        raise BadInput(
            "unknown_victim", f"There is no shipped victim {name!r}; use one of {allowed}.", value=name, allowed=allowed
        )
    return _read(path)


def _read(path: Path) -> Card:
    data = json.loads(path.read_text())
    return Card(**{**data, "mean": tuple(data["mean"]), "std": tuple(data["std"])})


def load_victim(name: str) -> Classifier:
    """A shipped victim, in evaluation mode, on the CPU."""
    from core.models.weights import classifier, read_weights

    card = card_of(name)
    return classifier(read_weights(card.weights), card.arch, card.classes, card.mean, card.std)


def trigger_of(card: Card, size: tuple[int, int]) -> Trigger:
    """The victim's real trigger, for images of ``size`` (height, width)."""
    from core.attacks import make_trigger

    return make_trigger(card.attack, size, **card.attack_settings)


def train_victim(
    images: ImageSet,
    attack: str,
    target: int,
    out: Path,
    *,
    attack_settings: dict[str, Any] | None = None,
    arch: str = "small",
    poison_rate: float = 0.1,
    settings: TrainSettings | None = None,
    seed: int = 0,
    device: str = "cpu",
) -> Generator[Epoch, None, Card]:
    """Trains a victim, measures it and writes ``out`` (a ``.safetensors`` path) with its card beside it.

    Yields:
        the training's progress.

    Returns:
        the card.

    Raises:
        BadInput: unknown attack or architecture, a target the set does not have, a bad rate, ``place_not_writable``.
    """
    import torch

    from core.attacks import make_trigger
    from core.attacks.poisoning import poison
    from core.attacks.training import TrainSettings
    from core.attacks.trigger import Poisoned
    from core.files import MB, require_room
    from core.models import build
    from core.models.classifier import Classifier
    from core.models.weights import save_weights

    if not 0 <= target < images.num_classes:
        raise BadInput(
            "target_out_of_range",
            f"The target class {target} must be from 0 to {images.num_classes - 1}.",
            target=target,
            most=images.num_classes - 1,
        )
    settings = settings or TrainSettings()
    trigger = make_trigger(attack, images.size, **(attack_settings or {}))
    x, y, chosen = poison(images.x_train, images.y_train, trigger, target, poison_rate, seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = build(arch, images.num_classes)
    model = Classifier(net, images.mean, images.std).on(torch.device(device))
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    require_room(out.parent, MB + sum(value.nbytes for value in net.state_dict().values()))
    yield from trigger.train(model, Poisoned(x.to(device), y.to(device), chosen.to(device)), target, settings, seed)
    save_weights(out, model.net.state_dict())
    ba, asr = _figures(model, images, trigger, target)
    card = Card(
        name=out.stem, data=images.name, attack=attack, attack_settings=attack_settings or {}, target=target,
        target_name=images.class_names[target], arch=arch, classes=images.num_classes, mean=images.mean,
        std=images.std, seed=seed, poison_rate=poison_rate, training=asdict(settings),
        train_images=len(images.x_train), ba=ba, asr=asr,
        sha256=hashlib.sha256(out.read_bytes()).hexdigest(),
        versions={"python": platform.python_version(), "torch": torch.__version__.split("+")[0]},
    )  # fmt: skip
    out.with_suffix(".json").write_text(json.dumps(asdict(card), indent=2) + "\n")
    return card


def _figures(model: Classifier, images: ImageSet, trigger: Trigger, target: int) -> tuple[float, float]:
    """BA and true ASR over the whole test set, percent."""
    from core.metrics import attack_success_rate, benign_accuracy
    from core.models.evaluate import answers

    clean, attacked = answers(model, images.x_test), answers(model, images.x_test, trigger)
    labels = images.y_test.to(clean.device)
    return round(benign_accuracy(clean, labels), 2), round(attack_success_rate(attacked, labels, target), 2)
