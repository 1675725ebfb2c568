"""Which files of a folder make an image set, in which order, and of which class. Reads no pixels and needs no torch."""

from __future__ import annotations

import os
import re
import unicodedata
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from core.data.decode import FORMATS, SUFFIXES
from core.errors import BadInput
from core.file_kinds import kind_of

TRAIN = ("train", "training")
TEST = ("test", "testing", "val", "valid", "validation", "eval", "dev")  # of several, the first is taken


_PARTS = re.compile(rf"({'|'.join((*TRAIN, *TEST))})[-_ ]?\d*")  # "test1", too
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")  # of "seg_train", "Test Data" or "trainImages"
_LISTS = (".csv", ".json", ".jsonl", ".txt", ".tsv", ".xml", ".xlsx", ".parquet")  # what labels are kept in
_NO_LISTS = ("readme", "licen")  # how the names of files begin that hold none
JUNK = ("__macosx", "__pycache__", "@eadir", "$recycle.bin", "system volume information", "lost+found")
_NO_PICTURES = ("thumbs.db", "desktop.ini")  # files that programs write into every folder
_DEEPEST = 12  # folders below a class
MAX_ENDINGS = 8  # file endings named in a sentence


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
    name. ``loose``: images that lie beside the class folders. ``alike``: classes whose names differ in capitals or
    spaces alone."""

    parts: tuple[Part, ...]
    unused: tuple[str, ...]
    loose: int
    alike: tuple[str, ...] = ()


class Entries(NamedTuple):
    """What lies in a folder, each by name; what is hidden, and what programs leave in every folder, is left out."""

    images: list[Path]
    folders: list[Path]
    others: list[Path]


def layout(path: Path) -> Layout:
    """The image set in a folder.

    A part is a folder with one of the names ``TRAIN`` or ``TEST``, in capitals or not, or with one of them as a word in
    its name ("seg_train", "Test Data") if there are such folders for both parts, with classes in them. Classes are
    numbered in the order of their names, or of their numbers where all names are numbers. Images in folders below a
    class's are the class's, as for torchvision's ``ImageFolder``. Names that differ only in how their accents are
    written down (Unicode NFC and NFD) are one class; a test part has the order of the training part. A folder that
    holds the whole set and nothing else, as an unpacked archive leaves it, is gone into.

    Raises:
        BadInput: ``no_class_folders``, ``labels_in_a_list``, ``too_few_classes``, ``split_incomplete``,
            ``classes_differ``, ``class_folder_without_images``, ``class_folder_of_other_files`` or
            ``link_leads_nowhere``.
        OSError: a folder may not be opened.
    """
    path = _within(path)
    inside = entries(path)
    if broken := next((place for place in inside.others if place.is_symlink() and not place.exists()), None):
        raise BadInput("link_leads_nowhere", f"{broken} is a broken link; repair or remove it.", path=str(broken))
    parts = _parts(inside.folders)
    parts = parts if any(parts) else _parts_by_word(inside.folders)
    there = [part for part in parts if part is not None]
    if flat := _flat_part(inside.folders, parts):
        raise _no_class_folders(flat)
    if len(there) == 1:
        missing = TRAIN[0] if parts[0] is None else TEST[0]
        raise BadInput(
            "split_incomplete",
            f"{path} has a folder {there[0].name} but none called {missing}; give both, or class folders alone.",
            path=str(path),
            missing=missing,
        )
    if not there:
        whole = _listing(path, _class_folders(path))
        return Layout((whole,), (), len(inside.images), _alike(whole.classes))
    train, test = (_class_folders(_within(part)) for part in there)
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
    loose = sum(len(entries(place).images) for place in (path, *there))
    return Layout(found, unused, loose, _alike(found[0].classes))


def _within(path: Path) -> Path:
    """The folder that holds the class folders or parts: below one that only wraps another."""
    for _ in range(_DEEPEST):
        inside = entries(path)
        if len(inside.folders) != 1 or inside.images or inside.folders[0].name.lower() in (*TRAIN, *TEST):
            break
        below = entries(inside.folders[0])
        if below.images or not below.folders:
            break
        path = inside.folders[0]
    return path


def _alike(names: list[str]) -> tuple[str, ...]:
    keys = Counter(name.casefold().strip() for name in names)
    return tuple(name for name in names if keys[name.casefold().strip()] > 1)


def entries(folder: Path) -> Entries:
    """What lies in a folder itself. Whatever is called like an image is one, be it a pipe: its reader will say so.

    A file without an ending is one if it begins like one.
    """
    found = Entries([], [], [])
    with os.scandir(folder) as inside:
        for entry in inside:
            lower = entry.name.lower()
            if entry.name.startswith(".") or lower in JUNK or lower in _NO_PICTURES:
                continue
            is_image = lower.endswith(SUFFIXES) or ("." not in lower and _begins_like_an_image(entry))
            kind = found.images if is_image else found.folders if entry.is_dir() else found.others
            kind.append(folder / entry.name)
    for kind in found:
        kind.sort()
    return found


def _begins_like_an_image(entry: os.DirEntry[str]) -> bool:
    try:
        kind = kind_of(Path(entry.path)) if entry.is_file() else None
    except OSError:  # closed to the reader
        return False
    return kind is not None and kind.name.upper() in FORMATS


def _parts(folders: list[Path]) -> list[Path | None]:
    """The training and the test part among these folders, of several names the first; None where there is none.

    A part holds class folders. Images beside them make it a class that happens to be called "train", unless the other
    part has folders of the same names.
    """
    named = [[f for name in names for f in folders if f.name.lower() == name] for names in (TRAIN, TEST)]
    inside = {folder: entries(folder) for folder in (*named[0], *named[1])}
    names = {folder: {below.name for below in inside[folder].folders} for folder in inside}
    found: list[Path | None] = []
    for mine, others in (named, named[::-1]):
        theirs = {name for folder in others for name in names[folder]}
        parts = (f for f in mine if names[f] and (not inside[f].images or names[f] & theirs))
        found.append(next(parts, None))
    return found


def _parts_by_word(folders: list[Path]) -> list[Path | None]:
    """As ``_parts``, of folders that have the name of a part as one of several words.

    Classes may be called so too ("test tube"): two parts have classes of the same names, or all folders are called so.

    Raises:
        BadInput: ``no_class_folders``: one of two parts has none.
    """
    words = {folder: {word.lower() for word in _WORDS.findall(folder.name)} for folder in folders}
    sides = [[f for name in names for f in folders if name in words[f]] for names in (TRAIN, TEST)]
    only = [[f for f in side if f not in other] for side, other in (sides, sides[::-1])]
    inside = {folder: entries(_within(folder)) for side in only for folder in side}
    classes = {folder: {below.name for below in found.folders} for folder, found in inside.items()}
    pairs = [(train, test) for test in only[1] for train in only[0] if len(classes[train]) > 1]
    if pair := next(((train, test) for train, test in pairs if classes[train] & classes[test]), None):
        return list(pair)
    if not pairs or len(inside) < len(folders):
        return [None, None]
    train, test = pairs[0]
    if len(classes[test]) < 2:
        raise _no_class_folders(test)
    return [train, test]


def _flat_part(folders: list[Path], parts: list[Path | None]) -> Path | None:
    """A folder that is meant as a part, and holds images without class folders: beside the other part, or where all
    folders are called so."""
    train, test = parts
    for names, part, other in ((TRAIN, train, test), (TEST, test, train)):
        flat = [folder for folder in folders if folder.name.lower() in names and entries(folder).images]
        if part is None and other is not None and flat:
            return flat[0]
    if not any(parts) and len(folders) > 1 and all(_PARTS.fullmatch(folder.name.lower()) for folder in folders):
        return folders[0]
    return None


def _class_folders(folder: Path) -> dict[str, list[Path]]:
    """The folders of each class, in label order."""
    folders = entries(folder).folders
    if len(folders) < 2 and (labels := _list_of_labels(folder, folders)):
        raise BadInput(
            "labels_in_a_list",
            f"The images of {folder} lie in one folder, with {labels} beside them; lists of labels are not read: put "
            "the images of each class into a folder of its own, named after the class.",
            path=str(folder),
            list=labels,
        )
    if not folders or (len(folders) == 1 and not _collected(folders).images):
        raise _no_class_folders(folder)
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


def _no_class_folders(folder: Path) -> BadInput:
    return BadInput(
        "no_class_folders",
        f"{folder} has no class folders; put the images of each class into a folder of its own, named after the class.",
        path=str(folder),
    )


def _list_of_labels(folder: Path, folders: list[Path]) -> str:
    """A file that may hold the labels of images which all lie in one folder; "" without one."""
    inside = entries(folder)
    if not inside.images and not (folders and entries(folders[0]).images):
        return ""
    lists = (file.name for file in inside.others if file.suffix.lower() in _LISTS)
    return next((name for name in lists if not name.lower().startswith(_NO_LISTS)), "")


def _listing(folder: Path, classes: dict[str, list[Path]]) -> Part:
    files: list[Path] = []
    labels: list[int] = []
    below, others = 0, Counter[str]()
    for label, (name, places) in enumerate(classes.items()):
        found = _collected(places)
        below -= sum(len(entries(place).images) for place in places)
        if not found.images and found.others:
            kinds = kinds_of(Counter(file.suffix.lower() for file in found.others))
            raise BadInput(
                "class_folder_of_other_files",
                f"The folder {name} in {folder} would be a class, but holds no image that can be read (it holds: "
                f"{kinds}); remove it, or save its images as {', '.join(FORMATS)} files.",
                name=name,
                path=str(folder),
                kinds=kinds,
                formats=", ".join(FORMATS),
            )
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


def kinds_of(endings: Counter[str]) -> str:
    """Endings of files and how many there are of each, as a sentence names them."""
    return ", ".join(f"{ending or '?'} ({many})" for ending, many in sorted(endings.items())[:MAX_ENDINGS])


def _collected(places: list[Path]) -> Entries:
    """What lies in these folders and below them."""
    found = Entries([], [], [])
    for place in places:
        _collect(place, found, set())
    return found


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
