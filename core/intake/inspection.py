"""Inspections: recognise the user's files in a separate process, before a run starts, and store the result in a note.

The dashboard starts an inspection and reads its note. The work needs torch and is in ``core.intake.recognition``. The
note of the same question is found by its key, also after a reload or restart.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import psutil

from core import paths
from core.data import IMAGE_SETS
from core.errors import BadInput
from core.files import write_json
from core.intake import leftovers
from core.jobs import process
from core.jobs.note import content, failure
from core.jobs.spawn import python_module, spawn
from core.runs.spec import Spec

FORMAT = 2
Step = Literal["weights", "unpack", "images", "networks", "scaling"]
STEPS: tuple[Step, ...] = ("weights", "unpack", "images", "networks", "scaling")
PICTURES, LOG = "classes.png", "log"
MAX_KEPT = 40  # inspections
MAX_LISTED = 100_000  # files of a folder that its key depends on; listing them takes a second


@dataclass(frozen=True)
class Inspection:
    """The state of an inspection.

    Attributes:
        key: its name.
        spec: the weights and images that are inspected.
        step: one of ``STEPS``; "" before the first. ``done`` of ``total`` units of it; 0 of 0 where that is not known.
        seconds_left: of that step, estimated; None while unknown.
        ended: nothing more will come. ``failure``: code, message and facts of the error that ended it, or empty.
        result: what is known so far, see ``core.intake.recognition.recognise``.
    """

    key: str
    spec: Spec
    step: str = ""
    done: int = 0
    total: int = 0
    seconds_left: float | None = None
    ended: bool = False
    failure: dict[str, Any] = field(default_factory=dict)
    result: dict[str, Any] = field(default_factory=dict)

    @property
    def pictures(self) -> Path:
        """One test image of each class, beside one another, as far as they were taken."""
        return folder_of(self.key) / PICTURES


def folder_of(key: str) -> Path:
    return paths.cache_folder() / "inspections" / key


def key_of(spec: Spec, most: int = MAX_LISTED) -> str:
    """The same for the same question about the same files; another one once a file has changed.

    Files go by name, size and time of change. Of a folder with more than ``most`` entries only so many are
    looked at, all class folders before any picture: beyond that a picture that came, went or was renamed is noticed,
    one that was overwritten in place is not.
    """
    asked = [spec.weights, spec.images, spec.arch, spec.normalize, spec.device]
    for given in (spec.weights, None if spec.images in IMAGE_SETS else spec.images):
        with contextlib.suppress(OSError):
            stat = os.stat(given) if given else None
            asked += [str(stat.st_size), str(stat.st_mtime_ns)] if stat else []
            asked += [_inside(given, most)] if given and os.path.isdir(given) else []
    return hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:16]


def _inside(folder: str, left: int) -> str:
    """A digest of what lies in a folder, as deep as images do: in class folders, within ``train`` and ``test``."""
    seen = hashlib.sha256()
    level = [folder]
    for _ in range(3):
        below: list[str] = []
        for place in level:
            with contextlib.suppress(OSError), os.scandir(place) as entries:
                for entry in sorted(itertools.islice(entries, left), key=lambda entry: entry.name):
                    left -= 1
                    with contextlib.suppress(OSError):  # a link to nothing
                        stat = entry.stat()
                        seen.update(os.fsencode(f"{entry.path}\0{stat.st_size}\0{stat.st_mtime_ns}\0"))
                    if entry.is_dir():
                        below.append(entry.path)
        level = below
    return seen.hexdigest()


def state(key: str | None) -> Inspection | None:
    """How the inspection of that key stands; None if there is none. One whose process is gone reads as ended."""
    if not key or not key.isalnum():
        return None
    note = _note(key)
    for _ in range(2):
        if note is None or note.get("ended") or process.find(_worker(key) or note.get("worker")) is not None:
            break
        before, note = note, _note(key)  # the process may have written its end after the note was read
        if note == before:
            lost = BadInput("inspection_lost", "The process that looked at the files ended before it was done.")
            note = before | {"ended": True, "failure": failure(lost)}
    if note is None:
        return None
    return Inspection(
        key, Spec.from_dict(note["spec"]), str(note.get("stage", "")), int(note.get("done", 0)),
        int(note.get("total", 0)), note.get("left"), bool(note.get("ended")), note.get("failure") or {},
        note.get("result") or {},
    )  # fmt: skip


def start(spec: Spec) -> str:
    """Begins an inspection and returns its key at once; one that is going on, or has a result, is not begun again.

    Raises:
        BadInput: what ``Spec.validate`` finds; ``class_from_page``: a class of the user's own is executed, and that is
            for the command line only.
    """
    if spec.model_class is not None:
        raise BadInput("class_from_page", "A class of your own is executed; name it on the command line only.")
    spec.validate()
    spec = spec.resolved()
    leftovers.sweep()
    place = folder_of("x").parent
    place.mkdir(parents=True, exist_ok=True)
    with leftovers.held(place):  # two tabs, or two servers, that ask for the same at once share one inspection
        return _started(spec)


def _started(spec: Spec) -> str:
    key = key_of(spec)
    now = state(key)
    if now is not None and not (now.ended and now.failure):
        return key
    folder = folder_of(key)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    # stands for the worker until the worker's identity is written
    write_json(folder / "note.json", {"format": FORMAT, "spec": spec.to_dict(), "worker": process.identity()})
    worker = spawn(python_module("core.intake.recognition", key), folder / LOG)
    if worker is not None:  # else it has ended already
        write_json(folder / "worker.json", worker)
    sweep()
    return key


def cancel(key: str) -> None:
    """Ends the inspection's process, if it is still at work, and forgets what there is of it, halves included."""
    worker = process.find(_worker(key))
    if worker is not None:
        with contextlib.suppress(psutil.Error):
            worker.kill()
            worker.wait(5)
    shutil.rmtree(folder_of(key), ignore_errors=True)
    leftovers.sweep()  # what it was unpacking


def forget(which: Callable[[Spec], bool]) -> None:
    """Cancels and forgets the inspections whose order is one of ``which``."""
    place = folder_of("x").parent
    for folder in list(place.iterdir()) if place.is_dir() else []:
        note = _note(folder.name)
        if note is not None and which(Spec.from_dict(note["spec"])):
            cancel(folder.name)


def _note(key: str) -> dict[str, Any] | None:
    note = content(folder_of(key) / "note.json")
    return note if note and note.get("format") == FORMAT and isinstance(note.get("spec"), dict) else None


def _worker(key: str) -> dict[str, Any] | None:
    return content(folder_of(key) / "worker.json")


def sweep(most: int = MAX_KEPT) -> None:
    """Forgets all but the ``most`` newest inspections, and none that is at work."""
    ages: list[tuple[float, Path]] = []
    for folder in folder_of("x").parent.iterdir():
        with contextlib.suppress(OSError):  # cancelled meanwhile
            ages += [(folder.stat().st_mtime, folder)] if folder.is_dir() else []
    for _, folder in sorted(ages, reverse=True)[most:]:
        if process.find(_worker(folder.name)) is None:
            shutil.rmtree(folder, ignore_errors=True)
