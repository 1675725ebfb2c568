"""Pictures to be placed on a settled map: kept, asked for, and what came of them. Light to import.

================================ ======================================================================================
``pictures/<digest>.png``        a visitor's file as it came, under the name of its content
``wanted-place.json``            ``subject`` and ``key`` of what was asked for last
``placed-<subject>-<key>.npz``   ``Placed``
``placed-<subject>-<key>.json``  in its stead: why that could not be placed
================================ ======================================================================================

Beside the run's other results (``core.explore.place``). A subject is "picture-<digest>", a file, or "point-17", an
image of the run's own map.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from core.data.decode import FORMATS, SUFFIXES
from core.errors import BadInput
from core.explore import place
from core.files import MB, require_room, write_atomic, write_json
from core.jobs import note
from core.runs.arrays import read_arrays
from core.runs.record import Run

LARGEST = 10 * MB  # bytes of a file; its sides are limited where it is read (core.data.decode)
KEPT = 20  # files of a run, the newest
LINGER = 300  # seconds that a process waits for another picture: networks and maps stay loaded
_SUBJECT = re.compile(r"picture-[0-9a-f]{16}|point-\d{1,7}")


class Placed(NamedTuple):
    """A picture without and with the trigger (v is 2) in m models, the victim and, where it is known, the purified one.

    ``coords`` float32 (m, v, dims), on the map of each model; ``answers`` int64 (m, v); ``confidence`` float32 (m, v),
    percent; ``near`` int32 (m, v, k), the nearest points of the map in feature space, nearest first; ``pictures``
    uint8 (v, h, w, 3), as the models see it.
    """

    coords: np.ndarray
    answers: np.ndarray
    confidence: np.ndarray
    near: np.ndarray
    pictures: np.ndarray


def keep(run: Run, name: str, content: bytes) -> str:
    """Writes a visitor's picture down, unread; of more than ``KEPT`` the oldest go. Returns its subject.

    Args:
        name: as the file is called: shown, and only its ending is used.

    Raises:
        BadInput: ``unreadable_image``, its ending is none of a picture; ``picture_too_large``; ``upload_empty``;
            ``place_not_writable``.
    """
    ending = Path(name).suffix.lower()
    if ending not in SUFFIXES:
        raise BadInput(
            "unreadable_image",
            f"{name} cannot be read as an image; allowed are whole {', '.join(FORMATS)} files.",
            file=name, formats=", ".join(FORMATS),
        )  # fmt: skip
    if len(content) > LARGEST:
        raise BadInput(
            "picture_too_large", f"{name} is larger than the {LARGEST // MB} MB that a picture may have here.",
            file=name, limit=LARGEST // MB,
        )  # fmt: skip
    if not content:
        raise BadInput("upload_empty", f"{name} is empty.", file=name)
    folder = _folder(run)
    require_room(folder, 2 * LARGEST)
    digest = _digest(content)
    write_atomic(folder / f"{digest}{ending}", content)
    for old in sorted(folder.glob("[0-9a-f]*.*"), key=_written)[:-KEPT]:
        remove(run, f"picture-{old.stem}")
    return f"picture-{digest}"


def _written(path: Path) -> int:
    """When a file was written, ns; 0 of one that another visit removed meanwhile."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def remove(run: Run, subject: str) -> None:
    """Removes a picture and what was found of it; what is gone already stays gone."""
    if not _SUBJECT.fullmatch(subject):
        return
    found = [*place.folder_of(run).glob(f"placed-{subject}-*")]
    if isinstance(file := source_of(run, subject), Path):
        found.append(file)
    for path in found:
        path.unlink(missing_ok=True)


def subject_of(text: str) -> str:
    """The subject of a file, or of a point that is given by its number where no file is called so.

    A file that cannot be read, or is too large, has one too: who opens it says why not.
    """
    file = Path(text)
    if text.isdecimal() and not file.exists():
        return f"point-{int(text)}"
    content = str(file.resolve()).encode()
    with contextlib.suppress(OSError):
        if file.is_file() and file.stat().st_size <= LARGEST:
            content = file.read_bytes()
    return f"picture-{_digest(content)}"


def source_of(run: Run, subject: str) -> Path | int | None:
    """The file or the point of a subject; None where it is no longer there."""
    kind, _, name = subject.partition("-")
    if not _SUBJECT.fullmatch(subject):
        return None
    return int(name) if kind == "point" else next(_folder(run).glob(f"{name}.*"), None)


def name_of(subject: str, key: str) -> str:
    """What the results of a subject on a map are called."""
    return f"placed-{subject}-{key}"


def placed(run: Run, subject: str, key: str) -> Placed | None:
    return read_arrays(place.folder_of(run) / f"{name_of(subject, key)}.npz", Placed)


def refusal(run: Run, subject: str, key: str) -> dict[str, Any] | None:
    """Why a subject could not be placed: code, message and facts."""
    return note.content(place.folder_of(run) / f"{name_of(subject, key)}.json")


def refuse(run: Run, subject: str, key: str, fault: BadInput) -> None:
    """For the process: notes why a subject could not be placed, and is there for the next one."""
    write_json(place.folder_of(run) / f"{name_of(subject, key)}.json", note.failure(fault))


def wanted(run: Run) -> tuple[str, str] | None:
    """Subject and map of what was asked for last."""
    try:
        found = json.loads((place.folder_of(run) / "wanted-place.json").read_bytes())
        subject, key = str(found["subject"]), str(found["key"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return (subject, key) if _SUBJECT.fullmatch(subject) else None


def want(run: Run, subject: str, key: str) -> None:
    """Asks for the place of a subject: of the process that has networks and map loaded, else of a new one.

    Raises:
        BadInput: ``place_not_writable``.
    """
    source, folder = source_of(run, subject), place.folder_of(run)
    with contextlib.suppress(OSError):  # where it is drawn already, the map counts as new: the page lists the newest
        os.utime(folder / f"{place.settled_name(key)}.npz")
    if source is None or placed(run, subject, key) is not None:
        return
    require_room(folder)
    with contextlib.suppress(OSError):  # it may be read now
        (folder / f"{name_of(subject, key)}.json").unlink()
    write_json(folder / "wanted-place.json", {"subject": subject, "key": key})
    given = str(source) if isinstance(source, int) else str(source.resolve())
    place.start(run, "--place", given, "--settled", key, "--linger", str(LINGER))


def _folder(run: Run) -> Path:
    return place.folder_of(run) / "pictures"


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=8).hexdigest()
