"""The output of the data room: a list as CSV, the result as JSON, and the kept images on request. Nothing is
deleted."""

from __future__ import annotations

import csv
import io
import os
import shutil
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from core.dataroom import review
from core.dataroom.place import KEPT, KEPT_FOLDER, LIST, MAP, RESULT, SUSPICIOUS, TRUTH
from core.dataroom.room import Verdict
from core.dataroom.trainset import TrainSet
from core.errors import BadInput
from core.featuremap import make_projector
from core.files import write_atomic, write_json
from core.models.classifier import Classifier
from core.models.weights import save_weights
from core.runs import file_hashes
from core.runs.arrays import sprite_of

FORBIDDEN = '/\\:*?"<>|'  # in names of folders, on one system or another
MIN_KEPT = 2  # images of a class that a set to train on needs
LONGEST_NAME = 200  # bytes of a folder's name
MAPPED = 600  # images on the map
FLAGGED_SHOWN, KEPT_SHOWN = 720, 240  # on the sheet: images that are flagged, and images that are kept, at most


def write_list(folder: Path, room: TrainSet, verdict: Verdict) -> Path:
    """``cleaned.csv``: one row for each image, in the order of the set; a person's words in a last column, if any.

    Where the truth is known, the positions of the poisoned images go into ``poisoned.json``.
    """
    text = io.StringIO()
    out = csv.writer(text, lineterminator="\n")
    out.writerow(["index", "file", "label", *(f"score_{name}" for name in verdict.judged), "flagged"])
    labels = room.y.tolist()
    columns = [judged.scores for judged in verdict.judged.values()]
    for at, file in enumerate(room.files):
        scores = [f"{column[at]:.6g}" for column in columns]
        out.writerow([at, review.plain(file), labels[at], *scores, int(verdict.flagged[at])])
    content = text.getvalue().encode("utf-8", "surrogateescape")
    write_atomic(folder / LIST, review.with_words(content, verdict.words) if verdict.words else content)
    if room.poisoned is not None:
        write_json(folder / TRUTH, np.flatnonzero(room.poisoned.numpy()))
    return folder / LIST


def write_map(folder: Path, room: TrainSet, verdict: Verdict, seed: int, most: int = MAPPED) -> Path:
    """``map.csv``: where some images lie by what the model sees in them, in two dimensions (``core.featuremap``).

    Of a large set, ``most`` are drawn with ``seed``.
    """
    left_out = verdict.left_out
    chosen = _on_map(room.y.numpy(), left_out, verdict.target, most, np.random.default_rng(seed))
    places = make_projector("umap", 2, seed).project(verdict.features[chosen])
    text = io.StringIO()
    out = csv.writer(text, lineterminator="\n")
    out.writerow(["index", "x", "y", "label", "flagged", "poisoned"])
    for at, (x, y) in zip(chosen.tolist(), places.tolist(), strict=True):
        truth = "" if room.poisoned is None else int(room.poisoned[at])
        out.writerow([at, f"{x:.3f}", f"{y:.3f}", int(room.y[at]), int(left_out[at]), truth])
    write_atomic(folder / MAP, text.getvalue().encode())
    return folder / MAP


def _on_map(
    labels: np.ndarray, flagged: np.ndarray, target: int | None, most: int, drawn: np.random.Generator
) -> np.ndarray:
    """Positions in ascending order: flagged images and kept ones of the suspected class, a third each at most, and
    others."""
    order = drawn.permutation(len(labels))
    kin = ~flagged & (labels == (-1 if target is None else target))
    some = [order[kind[order]][: most // 3] for kind in (flagged, kin)]
    others = order[~(flagged | kin)[order]][: most - sum(map(len, some))]
    return np.sort(np.concatenate([*some, others]))


def write_kept(folder: Path, room: TrainSet, verdict: Verdict) -> Path:
    """``cleaned.npz``: the images that are not left out, as ``core.data`` reads them, and the test part if any.

    Raises:
        BadInput: as ``require_classes``.
    """
    keep = require_classes(room, verdict.left_out)
    names = np.array(room.images.class_names)
    x, y = _last(room.x.numpy()[keep]), room.y.numpy()[keep]
    arrays = {"x": x, "y": y}
    if not len(room.held_out):
        test = _last(room.images.x_test.numpy())
        arrays = {"x_train": x, "y_train": y, "x_test": test, "y_test": room.images.y_test.numpy()}
    content = io.BytesIO()
    np.savez_compressed(content, class_names=names, **arrays)  # type: ignore[arg-type]  # the names are keys
    write_atomic(folder / KEPT, content.getvalue())
    return folder / KEPT


def require_no_folder(folder: Path) -> None:
    """Before the work: ``write_folder`` replaces nothing.

    Raises:
        BadInput: ``out_exists``.
    """
    out = folder / KEPT_FOLDER
    if out.exists() or out.is_symlink():
        raise BadInput(
            "out_exists", f"There is a file {out} already; choose another --out, or remove it.", path=str(out)
        )


def write_folder(folder: Path, room: TrainSet, verdict: Verdict) -> Path:
    """``cleaned/<class>/``: links to the files that are not left out, copies where there are no links; pictures where
    the set has no files. Each class has a folder of its own name (``folder_names``).

    Raises:
        BadInput: as ``require_classes``, or ``out_exists`` if that folder is there.
    """
    keep = require_classes(room, verdict.left_out)
    out = folder / KEPT_FOLDER
    require_no_folder(folder)
    names = folder_names(room.images.class_names)
    partial = folder / f".cleaned.tmp-{os.getpid()}"
    try:
        for at in np.flatnonzero(keep).tolist():
            place = partial / names[int(room.y[at])]
            place.mkdir(parents=True, exist_ok=True)
            source = Path(room.files[at])
            if room.images.files:
                _linked(source.absolute(), place / f"{at}{source.suffix}")
            else:
                Image.fromarray(room.x[at].permute(1, 2, 0).numpy()).save(place / f"{at}.png")
        os.replace(partial, out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return out


def folder_names(classes: Sequence[str]) -> list[str]:
    """Names of classes as names of folders, different from one another whatever the file system makes of cases.

    What no file system takes becomes "_"; a name that is left empty, or is there already, gets the class's number.
    """
    found: list[str] = []
    taken: set[str] = set()
    for number, name in enumerate(classes):
        plain = "".join("_" if one in FORBIDDEN or not one.isprintable() else one for one in name).strip(" .")
        plain = plain.encode()[:LONGEST_NAME].decode(errors="ignore").strip(" .")
        while not plain or unicodedata.normalize("NFKC", plain).casefold() in taken:
            plain = f"{plain}_{number}" if plain else f"{number}"
        taken.add(unicodedata.normalize("NFKC", plain).casefold())
        found.append(plain)
    return found


def _linked(source: Path, place: Path) -> None:
    try:
        place.symlink_to(source)
    except OSError:
        shutil.copyfile(source, place)


def require_classes(room: TrainSet, flagged: np.ndarray) -> np.ndarray:
    """bool (n,): the images kept; each class has two at least.

    Raises:
        BadInput: ``class_flagged_whole``, or ``class_left_small`` where a class had fewer, or has fewer left.
    """
    labels, classes = room.y.numpy(), room.images.num_classes
    had, kept = np.bincount(labels, minlength=classes), np.bincount(labels[~flagged], minlength=classes)
    whole = np.flatnonzero((had > 0) & (kept == 0))
    if len(whole):
        name = room.images.class_names[int(whole[0])]
        raise BadInput(
            "class_flagged_whole",
            f"All images of class {name} are flagged, and without it there is no set to train on; raise the threshold, "
            "or look at the list.",
            name=name,
        )  # fmt: skip
    if (kept < MIN_KEPT).any():
        least = int(kept.argmin())
        name = room.images.class_names[least]
        raise BadInput(
            "class_left_small",
            f"Of the {had[least]} images of class {name}, {kept[least]} are not flagged, and a set to train on needs "
            f"{MIN_KEPT} of each class; give more images of it, or raise the threshold.",
            name=name, had=int(had[least]), kept=int(kept[least]), least=MIN_KEPT,
        )  # fmt: skip
    return ~flagged


def _last(images: np.ndarray) -> np.ndarray:
    return images.transpose(0, 2, 3, 1)


def write_candidate(
    folder: Path, way: str, model: Classifier, arch: str, names: Sequence[str], figures: Mapping[str, Any]
) -> dict[str, Any]:
    """``candidate-<way>.safetensors``, and beside it a card, ``candidate-<way>.json``: what one needs to load it.

    It is no model to be handed on: nobody has looked for a trigger in it.

    Args:
        arch: what its network is called. names: of the classes, in order. figures: measured on the images of the set.

    Returns:
        ``proven`` (False), ``weights`` and ``card`` (paths).
    """
    weights = folder / f"candidate-{way}.safetensors"
    save_weights(weights, model.net.state_dict())
    card = {
        "name": weights.stem, "way": way, "proven": False, "arch": arch, "classes": len(names),
        "class_names": list(names), "mean": model.mean.flatten().tolist(), "std": model.std.flatten().tolist(),
        "figures": dict(figures), "sha256": file_hashes.of_file(weights),
    }  # fmt: skip
    write_json(weights.with_suffix(".json"), card)
    return {"proven": False, "weights": str(weights), "card": str(weights.with_suffix(".json"))}


def write_sheet(folder: Path, room: TrainSet, verdict: Verdict) -> list[int]:
    """``suspicious.webp``: the images to look at, row after row (``core.runs.arrays.sprite_of``); their positions.

    First those that are flagged, then kept ones of the suspected classes, or of all where none is suspected, each the
    most suspicious by the chosen filter first; then those that a person's word is on, if they are not among them.
    """
    judged = verdict.judged[verdict.chosen]
    order = np.argsort(-judged.scores, kind="stable")
    kin = np.isin(room.y.numpy(), judged.suspected) if judged.suspected else np.ones(len(order), bool)
    kinds = ((verdict.flagged, FLAGGED_SHOWN), (kin & ~verdict.flagged, KEPT_SHOWN))
    first = [int(at) for kind, most in kinds for at in order[kind[order]][:most]]
    shown = list(dict.fromkeys([*first, *list(verdict.words)[:KEPT_SHOWN]]))
    write_atomic(folder / SUSPICIOUS, sprite_of(_last(room.x[shown].numpy())))
    return shown


def write_result(folder: Path, result: dict[str, Any]) -> None:
    write_json(folder / RESULT, result)
