"""``cifar10`` and ``gtsrb``: the two real image sets, in the layouts of torchvision or ready-made.

CIFAR-10: A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009.
GTSRB: J. Stallkamp et al., "Man vs. computer", Neural Networks 32, 2012; the whole frame, resized to 32 x 32.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from core.data import IMAGE_SETS
from core.data.decode import decode
from core.data.download import Archive, fetch
from core.data.files import load_folder
from core.data.imageset import ImageSet
from core.data.npz import load_npz
from core.errors import BadInput
from core.paths import data_folder

Progress = Callable[[int, int], None]
SIDE = 32

CIFAR10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
GTSRB_CLASSES = (
    "speed limit 20",
    "speed limit 30",
    "speed limit 50",
    "speed limit 60",
    "speed limit 70",
    "speed limit 80",
    "end of speed limit 80",
    "speed limit 100",
    "speed limit 120",
    "no overtaking",
    "no overtaking by lorries",
    "priority at next crossing",
    "priority road",
    "give way",
    "stop",
    "no vehicles",
    "no lorries",
    "no entry",
    "danger",
    "bend to the left",
    "bend to the right",
    "double bend",
    "uneven road",
    "slippery road",
    "road narrows on the right",
    "road works",
    "traffic lights",
    "pedestrians",
    "children",
    "bicycles",
    "snow or ice",
    "wild animals",
    "end of all limits",
    "turn right ahead",
    "turn left ahead",
    "ahead only",
    "ahead or right",
    "ahead or left",
    "keep right",
    "keep left",
    "roundabout",
    "end of no overtaking",
    "end of no overtaking by lorries",
)


@dataclass(frozen=True)
class Source:
    """Facts about a set; where it may lie stands in ``core.data.IMAGE_SETS``."""

    title: str
    class_names: tuple[str, ...]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    archives: tuple[Archive, ...]


_ERDA = "https://sid.erda.dk/public/archives/daaeac0d7ce1152aea9b61d9f1e19370/"
SOURCES: dict[str, Source] = {
    "cifar10": Source(
        title="CIFAR-10",
        class_names=CIFAR10_CLASSES,
        mean=(0.4914, 0.4822, 0.4465),
        std=(0.2023, 0.1994, 0.2010),
        archives=(
            Archive(
                "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
                md5="c58f30108f718f92721af3b95e74349a",
                size=170_498_071,
                folder="",
            ),
        ),
    ),
    "gtsrb": Source(
        title="GTSRB",
        class_names=GTSRB_CLASSES,
        mean=(0.3403, 0.3121, 0.3214),
        std=(0.2724, 0.2608, 0.2669),
        archives=(
            Archive(_ERDA + "GTSRB-Training_fixed.zip", "513f3c79a4c5141765e10e952eaa2478", 187_490_228, "gtsrb"),
            Archive(_ERDA + "GTSRB_Final_Test_Images.zip", "c7e4e6327067d32654124b0fe9e82185", 88_978_620, "gtsrb"),
            Archive(_ERDA + "GTSRB_Final_Test_GT.zip", "fe31e9c9270bbcd7b84b7f21a9d9d9e5", 99_620, "gtsrb"),
        ),
    ),
}


def load(name: str, root: Path | None = None, download: bool = False, progress: Progress | None = None) -> ImageSet:
    """CIFAR-10 or GTSRB from disk, fetched first if that is wanted and needed.

    Under ``root`` are tried ``<name>.npz``, for CIFAR-10 the folders ``cifar10/train`` and ``cifar10/test`` with
    a folder per class, and the layout of ``torchvision.datasets``.

    Args:
        name: "cifar10" or "gtsrb".
        root: ``core.paths.data_folder()`` by default.
        download: whether the set may be fetched from its authors.
        progress: called with (bytes fetched, bytes in all) while fetching, with (files read, files in all) while
            reading files.

    Raises:
        BadInput: ``image_set_not_found``, ``image_set_damaged``, ``download_failed``, ``download_damaged``, or what
            the reading of a folder or an ``.npz`` file raises.
    """
    source = SOURCES[name]
    root = Path(root).expanduser() if root is not None else data_folder()
    places = IMAGE_SETS[name].places
    place = _found(places, root)
    if place is None and download:
        fetch(source.archives, source.title, root, progress)
        place = _found(places, root)
    if place is None:
        raise BadInput(
            "image_set_not_found",
            f"{source.title} is not in {root}; looked for {', '.join(places)}. Put one of them there, choose "
            "another folder, or allow the download, which needs a network.",
            name=name,
            root=str(root),
            places=", ".join(places),
        )
    if place.suffix == ".npz":
        images = load_npz(place)
    elif name == "gtsrb":
        images = _gtsrb(root / "gtsrb", progress)
    elif place.name == "train":
        images = load_folder(place.parent, progress=progress)
    else:
        images = _cifar10(root)
    if images.size != (SIDE, SIDE) or images.num_classes != len(source.class_names):
        raise _damaged(
            source,
            place,
            f"it has {images.num_classes} classes of {images.size[1]}x{images.size[0]} pixels, not "
            f"{len(source.class_names)} of {SIDE}x{SIDE}",
        )
    return replace(images, name=name, class_names=source.class_names, mean=source.mean, std=source.std, own=False)


def _found(places: Sequence[str], root: Path) -> Path | None:
    return next((root / place for place in places if (root / place).exists()), None)


def _damaged(source: Source, place: Path, reason: str) -> BadInput:
    return BadInput(
        "image_set_damaged",
        f"{place} is not a whole copy of {source.title}: {reason}. Remove it and get it again.",
        name=source.title,
        path=str(place),
        reason=reason,
    )


def _cifar10(root: Path) -> ImageSet:
    """Through torchvision, which compares checksums before it unpickles anything."""
    from torchvision.datasets import CIFAR10

    try:
        train, test = CIFAR10(str(root), train=True), CIFAR10(str(root), train=False)
    except RuntimeError as error:
        reason = "a file is missing or its checksum is wrong"
        raise _damaged(SOURCES["cifar10"], root / CIFAR10.base_folder, reason) from error
    x_train, x_test = (torch.from_numpy(part.data).permute(0, 3, 1, 2).contiguous() for part in (train, test))
    y_train, y_test = torch.tensor(train.targets), torch.tensor(test.targets)
    return ImageSet("cifar10", x_train, y_train, x_test, y_test, CIFAR10_CLASSES)


def _gtsrb(folder: Path, progress: Progress | None) -> ImageSet:
    """The layout of ``torchvision.datasets.GTSRB``, read by several threads and without importing torchvision."""
    source = SOURCES["gtsrb"]
    training, testing, table = (
        folder / "GTSRB/Training",
        folder / "GTSRB/Final_Test/Images",
        folder / "GT-final_test.csv",
    )
    for needed in (testing, table):
        if not needed.exists():
            raise _damaged(source, folder, f"{needed.relative_to(folder)} is missing")
    train_files: list[Path] = []
    y_train: list[int] = []
    for label in range(len(source.class_names)):
        files = sorted((training / f"{label:05d}").glob("*.ppm"))
        if not files:
            raise _damaged(source, training, f"there are no images in {label:05d}")
        train_files += files
        y_train += [label] * len(files)
    try:
        with open(table, newline="") as rows:
            pairs = [(row["Filename"], int(row["ClassId"])) for row in csv.DictReader(rows, delimiter=";")]
    except (KeyError, ValueError, TypeError) as error:
        raise _damaged(source, table, "it does not list Filename and ClassId") from error
    test_files = [testing / Path(file).name for file, _ in pairs]
    y_test = torch.tensor([label for _, label in pairs])
    if len(pairs) == 0 or y_test.min() < 0 or y_test.max() >= len(source.class_names):
        raise _damaged(source, table, "it lists no images, or classes that there are not")
    pixels = torch.from_numpy(decode([*train_files, *test_files], "gtsrb", (SIDE, SIDE), progress))
    images = pixels.permute(0, 3, 1, 2).contiguous()
    cut = len(train_files)
    return ImageSet("gtsrb", images[:cut], torch.tensor(y_train), images[cut:], y_test, source.class_names)
