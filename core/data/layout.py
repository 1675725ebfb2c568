"""Which files of a folder make an image set, in which order, and of which class. Reads no pixels and needs no torch."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import NamedTuple

from core.data.decode import FORMATS, SUFFIXES
from core.errors import BadInput

TRAIN = ("train", "training")
TEST = ("test", "testing", "val", "valid", "validation")  # of several, the first is taken


class Part(NamedTuple):
    """``classes``: names of folders, in label order. ``files``, ``labels``: of each image, class after class."""

    classes: list[str]
    files: list[Path]
    labels: list[int]


def layout(path: Path) -> tuple[Part, ...]:
    """The parts of the set in a folder: (train, test), or (whole,) where the set is yet to be split.

    A part is a folder with one of the names ``TRAIN`` or ``TEST``, in capitals or not. Classes are numbered in the
    order of their names, or of their numbers where all names are numbers. Names that differ only in how their accents
    are written down (Unicode NFC and NFD) are one class; a test part has the order of the training part.

    Raises:
        BadInput: ``no_class_folders``, ``too_few_classes``, ``split_incomplete``, ``classes_differ`` or
            ``class_folder_without_images``.
        OSError: a folder may not be opened.
    """
    parts = [_part(path, names) for names in (TRAIN, TEST)]
    there = [part for part in parts if part is not None]
    if len(there) == 1:
        missing = TRAIN[0] if parts[0] is None else TEST[0]
        raise BadInput(
            "split_incomplete",
            f"{path} has a folder {there[0].name} but none called {missing}; give both, or class folders alone.",
            path=str(path),
            missing=missing,
        )
    if not there:
        return (_listing(path, _class_folders(path)),)
    train, test = (_class_folders(part) for part in there)
    if set(train) != set(test):
        odd = sorted(set(train) ^ set(test))[0]
        have, lack = there if odd in train else there[::-1]
        raise BadInput(
            "classes_differ",
            f"{path} has a class {odd} in {have.name} but not in {lack.name}; both need the same class folders.",
            path=str(path),
            name=odd,
            have=have.name,
            lack=lack.name,
        )
    return _listing(there[0], train), _listing(there[1], {name: test[name] for name in train})


def _part(path: Path, names: tuple[str, ...]) -> Path | None:
    """The folder with one of these names, the first that there is; None without one."""
    found = [folder for folder in sorted(path.iterdir()) if folder.name.lower() in names and _is_part(folder)]
    return min(found, key=lambda folder: names.index(folder.name.lower()), default=None)


def images_in(folder: Path) -> list[Path]:
    """The image files that lie in a folder itself, by name."""
    return sorted(f for f in folder.iterdir() if f.suffix.lower() in SUFFIXES and not f.name.startswith("."))


def _is_part(folder: Path) -> bool:
    """Whether a folder is a part of a set, and not a class that happens to be called "train"."""
    return folder.is_dir() and not images_in(folder) and any(inside.is_dir() for inside in folder.iterdir())


def _class_folders(folder: Path) -> dict[str, list[Path]]:
    """The folders of each class, in label order."""
    folders = sorted(f for f in folder.iterdir() if f.is_dir() and not f.name.startswith((".", "__")))
    if not folders:
        raise BadInput(
            "no_class_folders",
            f"{folder} has no class folders; put the images of each class into a folder of its own, named after the "
            "class.",
            path=str(folder),
        )
    numbered = all(f.name.isdecimal() for f in folders)
    folders.sort(key=lambda f: (int(f.name) if numbered else 0, f.name))
    classes: dict[str, list[Path]] = {}
    for place in folders:
        classes.setdefault(unicodedata.normalize("NFC", place.name), []).append(place)
    if len(classes) < 2:
        raise BadInput(
            "too_few_classes",
            f"{folder} has one class only, {folders[0].name}; at least two are needed.",
            path=str(folder),
            classes=1,
        )
    return classes


def _listing(folder: Path, classes: dict[str, list[Path]]) -> Part:
    files: list[Path] = []
    labels: list[int] = []
    for label, (name, places) in enumerate(classes.items()):
        found = [file for place in places for file in images_in(place)]
        if not found:
            raise BadInput(
                "class_folder_without_images",
                f"Class {name} has no images in {folder}; put its {', '.join(FORMATS)} files into the folder "
                f"{name} itself, not into folders below it.",
                name=name,
                path=str(folder),
                formats=", ".join(FORMATS),
            )
        files += found
        labels += [label] * len(found)
    return Part(list(classes), files, labels)
