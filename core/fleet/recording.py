"""The fleet that ships: the victims of signs and digits beside clean twins, scanned and ranked by the fleet's own work.

``python -m core.fleet.recording`` trains the twins, does the fleet and records it. What is done is kept in the cache,
so that the same command goes on where it was cut off.
"""

from __future__ import annotations

import csv
import shutil
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from core import paths, recorded
from core.attacks.training import TrainSettings, train
from core.data import load
from core.fleet import listing, place, seen
from core.fleet.engines import engine
from core.fleet.make import Fleet
from core.fleet.place import Order, Standing
from core.models import build
from core.models.classifier import Classifier
from core.models.weights import save_weights
from core.recorded import Recording
from core.runs.record import Run
from core.victims import card_of

NAME = "fleet"
COMMAND = "python -m core.fleet.recording"
LIST = "models.csv"
SETTINGS = {
    "digits": TrainSettings(epochs=30, batch=64, shift=1),
    "signs": TrainSettings(epochs=3, batch=128, lr=0.15, shift=2),
}
DEEPER = {"resnet20": 6, "wrn16-1": 6}  # epochs of networks whose step takes several times as long


@dataclass(frozen=True)
class Model:
    """``arch``, ``seed``: of a clean twin that is trained; of a shipped victim, "" and 0. ``owner``, ``use`` and
    ``exposure``: as the list has them; who owns a model is made up for the list, all else is measured."""

    name: str
    data: str
    owner: str
    use: str
    exposure: int
    arch: str = ""
    seed: int = 0

    @property
    def file(self) -> str:
        return f"{self.name}.safetensors"


MODELS = (
    Model("signs-badnets", "signs", "Road safety", "Driver assistance", 5),
    Model("signs-blended", "signs", "Road safety", "Fleet cameras", 4),
    Model("signs-sig", "signs", "Maps", "Map updates", 2),
    Model("signs-wanet", "signs", "Road safety", "Roadside cameras", 4),
    Model("digits-badnets", "digits", "Logistics", "Parcel sorting", 3),
    Model("digits-blended", "digits", "Finance", "Form reading", 4),
    Model("signs-clean-small", "signs", "Road safety", "Driver assistance", 5, "small", 31),
    Model("digits-clean-small", "digits", "Finance", "Form reading", 4, "small", 21),
    Model("digits-clean-second", "digits", "Logistics", "Parcel sorting", 3, "small", 22),
    Model("digits-clean-third", "digits", "Logistics", "Meter reading", 1, "small", 23),
    Model("digits-clean-resnet20", "digits", "Finance", "Form reading", 4, "resnet20", 25),
    Model("digits-clean-wrn16-1", "digits", "Maps", "House numbers", 2, "wrn16-1", 26),
)


def make(root: Path | None = None, workers: int = 1) -> Recording:
    """Does the fleet, or what is left of it, and records it as ``fleet`` below ``root``.

    Args:
        root: ``core.paths.RECORDED`` by default. workers: models that are worked on at once.

    Raises:
        BadInput: as ``core.fleet.place.opened``.
    """
    kept = paths.cache_folder() / "recording-fleet"
    listed, folder = listed_in(kept / "models"), kept / "fleet"
    order, entries = Order(str(listed), ""), listing.read(listed)
    with place.opened(folder, order):
        hashes = seen.Hashes(folder / place.STAMPS)
        standing = Fleet(folder, order, entries, engine("local", workers), hashes, _say).work()
    return record(standing, folder, listed, (root or paths.RECORDED) / NAME)


def listed_in(folder: Path) -> Path:
    """The models and their list, in a folder: shipped victims are copied, twins trained unless they are there."""
    folder.mkdir(parents=True, exist_ok=True)
    for model in MODELS:
        if not model.arch:
            shutil.copyfile(card_of(model.name).weights, folder / model.file)
        elif not (folder / model.file).exists():
            _say(f"training {model.name}", 0, 1)
            _trained(model, folder / model.file)
    with (folder / LIST).open("w", newline="", encoding="utf-8") as out:
        table = csv.writer(out, lineterminator="\n")
        table.writerow(["weights", "images", "owner", "use", "exposure"])
        table.writerows([one.file, one.data, one.owner, one.use, one.exposure] for one in MODELS)
    return folder / LIST


def _trained(model: Model, file: Path) -> None:
    images = load(model.data)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(model.seed)
        network = Classifier(build(model.arch, images.num_classes), images.mean, images.std)
    settings = SETTINGS[model.data]
    settings = replace(settings, epochs=DEEPER.get(model.arch, settings.epochs))
    for _ in train(network, images.x_train, images.y_train, settings, model.seed):
        pass
    save_weights(file, network.net.state_dict())


def record(standing: Standing, folder: Path, listed: Path, out: Path) -> Recording:
    """Keeps of a fleet its standing, its pictures and its list, without a path of the machine.

    ``seconds`` becomes what its runs took together and ``created`` when the last began, for the work may have been done
    in several starts.
    """
    recorded.emptied(out)
    rows = [replace(row, weights=Path(row.weights).name) for row in standing.models]
    spent = sum(sum(row.seconds.values()) for row in rows)
    begun = (Run(file.parent).created for file in place.runs_of(folder).glob("*/run.json"))
    created = max(begun, default=standing.created)
    kept = replace(standing, models=rows, seconds=round(spent, 1), created=created, worker=None, at_work=[])
    place.write_standing(out, kept)
    for row in rows:
        if row.signs and row.run:
            picture = place.picture_of(out, row.run)
            picture.parent.mkdir(exist_ok=True)
            shutil.copyfile(place.picture_of(folder, row.run), picture)
    shutil.copyfile(listed, out / LIST)
    victims = [model for model in MODELS if not model.arch]
    return recorded.seal(
        out, COMMAND, [card_of(model.name).weights for model in victims],
        {"backdoored": [model.file for model in victims]}, created,
    )  # fmt: skip


def _say(stage: str, done: int, total: int) -> None:
    print(f"{stage}: {done} of {total}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    print(make().folder)
