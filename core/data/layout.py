"""Which files of a folder make an image set, in which order, and of which class. Reads no pixels and needs no torch."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from core.data.decode import FORMATS, SUFFIXES
from core.errors import BadInput


class Part(NamedTuple):
    """``classes``: names of folders, in label order. ``files``, ``labels``: of each image, class after class."""

    classes: list[str]
    files: list[Path]
    labels: list[int]


def layout(path: Path) -> tuple[Part, ...]:
    """The parts of the set in a folder: (train, test), or (whole,) where the set is yet to be split.

    Classes are numbered in the order of their names, or of their numbers where all names are numbers.

    Raises:
        BadInput: ``no_class_folders``, ``too_few_classes``, ``split_incomplete``, ``classes_differ`` or
            ``class_folder_without_images``.
        OSError: a folder may not be opened.
    """
    parts = [path / part for part in ("train", "test") if _is_part(path / part)]
    if len(parts) == 1:
        missing = "test" if parts[0].name == "train" else "train"
        raise BadInput(
            "split_incomplete",
            f"{path} has a folder {parts[0].name} but none called {missing}; give both, or class folders alone.",
            path=str(path),
            missing=missing,
        )
    if not parts:
        return (_listing(path),)
    train, test = (_listing(part) for part in parts)
    if train.classes != test.classes:
        odd = sorted(set(train.classes) ^ set(test.classes))[0]
        have, lack = ("train", "test") if odd in train.classes else ("test", "train")
        raise BadInput(
            "classes_differ",
            f"{path} has a class {odd} in {have} but not in {lack}; both need the same class folders.",
            path=str(path),
            name=odd,
            have=have,
            lack=lack,
        )
    return train, test


def images_in(folder: Path) -> list[Path]:
    """The image files that lie in a folder itself, by name."""
    return sorted(f for f in folder.iterdir() if f.suffix.lower() in SUFFIXES and not f.name.startswith("."))


def _is_part(folder: Path) -> bool:
    """Whether a folder is a part of a set, and not a class that happens to be called "train" or "test"."""
    return folder.is_dir() and not images_in(folder)


def _listing(folder: Path) -> Part:
    classes = [f.name for f in folder.iterdir() if f.is_dir() and not f.name.startswith((".", "__"))]
    if not classes:
        raise BadInput(
            "no_class_folders",
            f"{folder} has no class folders; put the images of each class into a folder of its own, named after the "
            "class.",
            path=str(folder),
        )
    if len(classes) < 2:
        raise BadInput(
            "too_few_classes",
            f"{folder} has one class only, {classes[0]}; at least two are needed.",
            path=str(folder),
            classes=1,
        )
    numbered = all(name.isdecimal() for name in classes)
    classes.sort(key=lambda name: (int(name) if numbered else 0, name))
    files: list[Path] = []
    labels: list[int] = []
    for label, name in enumerate(classes):
        found = images_in(folder / name)
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
    return Part(classes, files, labels)
