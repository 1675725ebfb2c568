"""Where the results of the data room's page lie, reading them without torch, and the processes that make them.

One folder for each order under ``data-room/`` in the cache: ``order.json``, what the command writes
(``core.cli.data_room``), and ``job.json``, the process and how far it is.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from core import paths
from core.data import IMAGE_SETS
from core.errors import BadInput
from core.files import require_room, write_atomic, write_json
from core.jobs import note
from core.jobs.note import Job
from core.jobs.spawn import python_module

JOB, RESULT, LIST, SUSPICIOUS = "job.json", "data_room.json", "cleaned.csv", "suspicious.webp"
ORDER, MAP = "order.json", "map.csv"
TRUTH = "poisoned.json"  # positions of the poisoned images, where the truth is known
REVIEWED = "reviewed"  # the column of a list that holds a person's words
GIVEN = "reviewed.csv"  # the list that a visit was given, as it was given
OURS = ".data-room"  # in a folder of a visit, from its beginning
KEPT, KEPT_FOLDER = "cleaned.npz", "cleaned"
TRAINED = "trained-on-all.safetensors"  # the network that the filters use; trained on poison, so not a result
NEEDED = 16 << 20  # bytes of free disk before the work begins


@dataclass(frozen=True)
class Order:
    """What the page asks for. ``images``: a named set or a path. ``attack``: "" for a set that is taken as it is.
    ``then``: a way of ``core.dataroom.THEN``, "all" of them, or "" for the list alone. ``reviewed``: a list that a
    person has edited, "" where there is none."""

    images: str
    attack: str = ""
    rate: float = 0.1
    target: int = 0
    filters: tuple[str, ...] = ("contamination", "ss")
    false_alarms: float = 0.05
    most: int = 0
    seed: int = 0
    then: str = ""
    reviewed: str = ""

    @property
    def arguments(self) -> list[str]:
        """Of ``python -m core data-room``."""
        lab = ["--poison", self.attack, "--rate", str(self.rate), "--poison-target", str(self.target)]
        return [
            self.images, "--filters", ",".join(self.filters), "--false-alarms", str(self.false_alarms),
            "--most", str(self.most), "--seed", str(self.seed), *(lab if self.attack else []),
            *(["--then", self.then] if self.then else []), *(["--reviewed", self.reviewed] if self.reviewed else []),
        ]  # fmt: skip

    @property
    def folder(self) -> Path:
        return _visits() / self.key

    @property
    def key(self) -> str:
        """What the folder is called."""
        return hashlib.blake2b(json.dumps(asdict(self)).encode(), digest_size=8).hexdigest()


@dataclass(frozen=True)
class Listed:
    """``cleaned.csv``: ``files`` ("" where there is none), ``labels`` int (n,), ``scores`` of each filter float (n,),
    ``flagged`` bool (n,), by the filter; ``words`` of the reviewed list that the visit was given, by position."""

    files: list[str]
    labels: np.ndarray
    scores: dict[str, np.ndarray]
    flagged: np.ndarray
    words: dict[int, str]


@dataclass(frozen=True)
class Mapped:
    """``map.csv``: of some images their positions in the set ``at`` int (n,), places ``xy`` float (n, 2), ``labels``
    int (n,), ``flagged`` bool (n,), and ``poisoned`` bool (n,), None where the truth is unknown."""

    at: np.ndarray
    xy: np.ndarray
    labels: np.ndarray
    flagged: np.ndarray
    poisoned: np.ndarray | None


def require_own(folder: Path) -> None:
    """Nothing of the user's is written over: the folder is empty, or of an earlier visit, whether that ended or not.

    Raises:
        BadInput: ``out_not_ours``.
    """
    try:
        there = [one.name for one in folder.iterdir() if not one.name.startswith(".")]
    except FileNotFoundError:
        return
    except OSError:
        there = [folder.name]
    if there and not paths.exists(folder / OURS) and "filters" not in (result_in(folder) or {}):
        raise BadInput(
            "out_not_ours",
            f"The folder {folder} is not empty and holds no result of the data room ({RESULT}); give an empty or a new "
            "folder with --out.",
            path=str(folder), result=RESULT,
        )  # fmt: skip


def begin_anew(folder: Path) -> None:
    """Takes away the result of an earlier visit and what belongs to it, before the first file of this one replaces one
    of it. What a person said of it on the page stays, and so does a list that was given, until the new one is there."""
    write_atomic(folder / OURS, b"")
    for name in (RESULT, MAP, TRUTH):
        (folder / name).unlink(missing_ok=True)


def start(order: Order) -> None:
    """Sets a process to the work and returns; not where one is at it, or the result of a named set is there.

    A set of the user's own may be another one by now at the same place, and is judged anew.

    Raises:
        BadInput: ``place_not_writable``.
    """
    folder = order.folder
    require_room(folder, NEEDED)
    now = job(order)
    if (now is not None and now.at_work) or (order.images in IMAGE_SETS and whole(order)):
        return
    begin_anew(folder)
    write_json(folder / ORDER, asdict(order))
    note.begin(folder / JOB, python_module("core", "data-room", *order.arguments, "--out", str(folder), "--note"))


def job(order: Order) -> Job | None:
    """The latest process of an order; None if there was none. One that is gone reads as ended."""
    return note.read(order.folder / JOB)


def result(order: Order) -> dict[str, Any] | None:
    """``data_room.json``; None if it is not there."""
    return result_in(order.folder)


def order_in(folder: Path) -> Order | None:
    """``order.json``; None if it is not there, or not one of this version."""
    try:
        found = json.loads((folder / ORDER).read_bytes())
        return Order(**{**found, "filters": tuple(found["filters"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None


def order_of(key: str) -> Order | None:
    """The order of the visit of that key; None if there is none of this version. A key may come from an address bar."""
    found = order_in(_visits() / key) if re.fullmatch(r"[0-9a-f]{16}", key) else None
    return found if found is not None and found.key == key else None


def whole(order: Order) -> bool:
    """Whether all that an order asks for is there: what was found is written before what comes of it."""
    found = result(order)
    return found is not None and (not order.then or "then" in found)


def result_in(folder: Path) -> dict[str, Any] | None:
    try:
        found = json.loads((folder / RESULT).read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def listed(folder: Path, filters: Sequence[str]) -> Listed:
    """The list in a folder whose result is there."""
    rows = _rows(folder / LIST)
    return Listed(
        [row["file"] for row in rows],
        np.array([int(row["label"]) for row in rows]),
        {name: np.array([float(row[f"score_{name}"]) for row in rows]) for name in filters},
        np.array([row["flagged"] == "1" for row in rows]),
        {at: row[REVIEWED] for at, row in enumerate(rows) if row.get(REVIEWED)},
    )


def keep_list(content: bytes) -> Path:
    """Writes a reviewed list where an order can name it: under its content, since another list is another order."""
    folder = _visits() / "lists"
    require_room(folder)
    place = folder / f"{hashlib.blake2b(content, digest_size=8).hexdigest()}.csv"
    write_atomic(place, content)
    return place


def truth(folder: Path, images: int) -> np.ndarray | None:
    """bool (n,): which images are poisoned; None where that is unknown."""
    try:
        poisoned = json.loads((folder / TRUTH).read_bytes())
    except (OSError, ValueError):
        return None
    return np.isin(np.arange(images), poisoned)


def mapped(folder: Path) -> Mapped | None:
    """The map in a folder; None where there is none (yet), as after a visit of an older version."""
    try:
        rows = _rows(folder / MAP)
    except OSError:
        return None
    truth = np.array([row["poisoned"] == "1" for row in rows]) if rows and rows[0]["poisoned"] else None
    return Mapped(
        np.array([int(row["index"]) for row in rows]),
        np.array([(float(row["x"]), float(row["y"])) for row in rows]),
        np.array([int(row["label"]) for row in rows]),
        np.array([row["flagged"] == "1" for row in rows]),
        truth,
    )


def _visits() -> Path:
    return paths.cache_folder() / "data-room"


def _rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="", encoding="utf-8", errors="surrogateescape") as content:
        return list(csv.DictReader(content))
