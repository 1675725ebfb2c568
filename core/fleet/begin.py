"""Starts, stops and takes up a fleet from a page: the command ``fleet`` in a process of its own. Imports no torch."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import psutil

from core import paths
from core.data import IMAGE_SETS
from core.errors import BadInput
from core.files import require_room, write_json
from core.fleet import listing, place
from core.fleet.engines import LOCAL, missing
from core.fleet.place import Order
from core.jobs import note, process
from core.jobs.lock import held
from core.jobs.note import Job
from core.jobs.spawn import python_module


def start(models: str, images: str = "", purify: bool = False, engine: str = LOCAL) -> Path:
    """Sets a process to the fleet of these models and returns its folder, a new one or that of the same order.

    Args:
        models, images, engine: as on the command line.

    Raises:
        BadInput: as ``core.fleet.listing.read``; ``images_not_found``; as ``go_on``. What else keeps it from beginning
            stands in the note of its job.
    """
    if images and images not in IMAGE_SETS and not paths.exists(images):
        allowed = ", ".join(IMAGE_SETS)
        raise BadInput(
            "images_not_found",
            f"{images!r} is neither an image set ({allowed}) nor a folder or .npz file that exists.",
            images=images, allowed=allowed,
        )  # fmt: skip
    listing.read(models, images)
    order = Order(str(paths.absolute(models)), listing.images_at(images))
    jobs = _jobs()
    require_room(jobs)
    with held(jobs / ".start.lock"):  # two pages at once choose one after the other
        folder = next(one for one in _folders(order) if _is_free(one, order))
        go_on(folder, order, purify, engine)
    return folder


def go_on(folder: Path, order: Order, purify: bool = False, engine: str = LOCAL) -> None:
    """Sets a process to what is left of a fleet's work, or waits for the one that is at it.

    Raises:
        BadInput: ``fleet_engine_missing`` or ``place_not_writable``.
    """
    if fault := missing(engine):
        raise fault
    file = _note(folder)
    require_room(file.parent)
    words = [
        "fleet", order.models, "--out", str(folder), "--seed", str(order.seed), "--device", order.device,
        "--engine", engine, "--note", str(file), *(["--images", order.images] if order.images else []),
        *(["--purify"] if purify else []),
    ]  # fmt: skip
    write_json(_asked(folder), asdict(order))
    note.begin(file, python_module("core", *words))


def job(folder: Path) -> Job | None:
    """The latest process that was set to a fleet from the page; None if there was none."""
    return note.read(_note(folder))


def stop(folder: Path) -> None:
    """Asks the process that works on a fleet to end; what is done is kept, and can be gone on with."""
    standing = place.read_standing(folder)
    worker = process.find(dict(standing.worker) if standing and standing.worker else None)
    if worker is None:
        note.end(_note(folder))
        return
    with contextlib.suppress(psutil.Error):
        worker.terminate()


def _folders(order: Order) -> Iterator[Path]:
    first = place.default(order.models)
    yield first
    number = 1
    while True:
        number += 1
        yield first.with_name(f"{first.name}-{number}")


def _is_free(folder: Path, order: Order) -> bool:
    """Whether a fleet of this order may use the folder: it has that fleet, or nothing, and no process has begun another
    order there."""
    if place.read_order(folder) == order:
        return True
    begun = job(folder)
    if begun is not None and begun.at_work and note.content(_asked(folder)) != asdict(order):
        return False
    return not paths.exists(folder)


def _jobs() -> Path:
    return paths.cache_folder() / "fleet" / "jobs"


def _note(folder: Path) -> Path:
    return _jobs() / f"{folder.name}.json"


def _asked(folder: Path) -> Path:
    """The order of the process that was begun last: it takes a while until the fleet's own folder tells it."""
    return _jobs() / f"{folder.name}.asked"
