"""Which files of a folder make an image set, in which order, and of which class. Reads no pixels and needs no torch."""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from core.data.decode import FORMATS, SUFFIXES
from core.errors import BadInput

TRAIN = ("train", "training")
TEST = ("test", "testing", "val", "valid", "validation")  # of several, the first is taken


JUNK = ("__macosx", "__pycache__", "@eadir", "$recycle.bin", "system volume information", "lost+found")
_NO_PICTURES = ("thumbs.db", "desktop.ini")  # files that programs write into every folder
_DEEPEST = 12  # folders below a class


class Part(NamedTuple):
    """``classes``: names of folders, in label order. ``files``, ``labels``: of each image, class after class.

    ``below``: how many of them lie in folders below their class's. ``others``: endings of files that are none.
    """

    classes: list[str]
    files: list[Path]
    labels: list[int]
    below: int
    others: Counter[str]


class Layout(NamedTuple):
    """``parts``: (train, test), or (whole,) where the set is yet to be split. ``unused``: folders beside these, by
    name. ``loose``: images that lie beside the class folders."""

    parts: tuple[Part, ...]
    unused: tuple[str, ...]
    loose: int


class Entries(NamedTuple):
    """What lies in a folder, each by name; what is hidden, and what programs leave in every folder, is left out."""

    images: list[Path]
    folders: list[Path]
    others: list[Path]


def layout(path: Path) -> Layout:
    """The image set in a folder.

    A part is a folder with one of the names ``TRAIN`` or ``TEST``, in capitals or not. Classes are numbered in the
    order of their names, or of their numbers where all names are numbers. Images in folders below a class's are the
    class's, as for torchvision's ``ImageFolder``. Names that differ only in how their accents
    are written down (Unicode NFC and NFD) are one class; a test part has the order of the training part.

    Raises:
        BadInput: ``no_class_folders``, ``too_few_classes``, ``split_incomplete``, ``classes_differ`` or
            ``class_folder_without_images``.
        OSError: a folder may not be opened.
    """
    inside = entries(path)
    parts = [_part(inside.folders, names) for names in (TRAIN, TEST)]
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
        return Layout((_listing(path, _class_folders(path)),), (), len(inside.images))
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
    found = _listing(there[0], train), _listing(there[1], {name: test[name] for name in train})
    unused = tuple(folder.name for folder in inside.folders if folder not in there)
    return Layout(found, unused, sum(len(entries(place).images) for place in (path, *there)))


def entries(folder: Path) -> Entries:
    """What lies in a folder itself. Whatever is called like an image is one, be it a pipe: its reader will say so."""
    found = Entries([], [], [])
    with os.scandir(folder) as inside:
        for entry in inside:
            lower = entry.name.lower()
            if entry.name.startswith(".") or lower in JUNK or lower in _NO_PICTURES:
                continue
            is_image = lower.endswith(SUFFIXES)
            kind = found.images if is_image else found.folders if entry.is_dir() else found.others
            kind.append(folder / entry.name)
    for kind in found:
        kind.sort()
    return found


def _part(folders: list[Path], names: tuple[str, ...]) -> Path | None:
    """The folder with one of these names, the first that there is; None without one."""
    found = [folder for folder in folders if folder.name.lower() in names and _is_part(folder)]
    return min(found, key=lambda folder: names.index(folder.name.lower()), default=None)


def _is_part(folder: Path) -> bool:
    """Whether a folder is a part of a set, and not a class that happens to be called "train"."""
    inside = entries(folder)
    return bool(inside.folders) and not inside.images


def _class_folders(folder: Path) -> dict[str, list[Path]]:
    """The folders of each class, in label order."""
    folders = entries(folder).folders
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
    below, others = 0, Counter[str]()
    for label, (name, places) in enumerate(classes.items()):
        found = Entries([], [], [])
        for place in places:
            own = len(entries(place).images)
            _collect(place, found, set())
            below -= own
        if not found.images:
            raise BadInput(
                "class_folder_without_images",
                f"Class {name} has no images in {folder}; put its {', '.join(FORMATS)} files into the folder {name}.",
                name=name,
                path=str(folder),
                formats=", ".join(FORMATS),
            )
        files += found.images
        labels += [label] * len(found.images)
        others.update(file.suffix.lower() for file in found.others)
    return Part(list(classes), files, labels, below + len(files), others)


def _collect(folder: Path, found: Entries, above: set[tuple[int, int]]) -> None:
    """Adds what lies in a folder and below it. ``above``: the folders around it, to which a link may lead back."""
    stat = folder.stat()
    number = stat.st_dev, stat.st_ino
    if number in above or len(above) > _DEEPEST:
        return
    inside = entries(folder)
    found.images.extend(inside.images)
    found.others.extend(inside.others)
    for below in inside.folders:
        _collect(below, found, above | {number})
