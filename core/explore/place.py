"""The results of the page Explore for a run: their files, which are read without torch, and the processes that make
them.

======================= ===============================================================================================
``base.npz``            ``Base``: features, neighbours and suspicion before and after
``map-umap-3.npz``      ``DrawnMap`` before and after, where no frame's features are kept; ``map-tsne-2.npz`` ...
                        (an older version kept ``coords`` alone)
``map-settled-....npz`` ``DrawnMap`` before and after, by the settings it was drawn with (``core.explore.settled``)
``saliency-17.npz``     ``Saliency`` of point 17 and its twin
``wanted.json``         ``point`` whose saliency was asked for last; ``wanted-settled.json``: ``key`` of the settled map
``placed-....npz``      where a picture lies on a settled map, and what is asked of that (``core.explore.pictures``)
``job-<kind>.json``     the latest process of a kind: who it is, how far it is, what went wrong
======================= ===============================================================================================

In ``explore/`` in the run's folder; of a shipped recording, which is never written to, in the cache.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from core import paths
from core.files import require_room, write_json
from core.jobs import note
from core.jobs.note import Job, Report
from core.jobs.spawn import python_module
from core.runs.arrays import read_arrays, write_arrays
from core.runs.moving import DrawnMap
from core.runs.record import Run
from core.suspicion import METHODS

FORMAT = 2
WHENS = ("before", "after")
NEIGHBOURS = 12
NEEDED = 8 << 20  # bytes of free disk: results of 2,000 points with 512 features, for two models
OTHERS = ("stress",)  # kinds of processes of other pages, whose notes lie in the same folder
LINGER = 60  # seconds that a process waits for further requests, since loading takes several seconds


class Base(NamedTuple):
    """Of the victim and, where its weights are kept, of the purified model: m is 1 or 2 models, in that order.

    ``features`` float16 (m, n, d), penultimate; scaled down as a whole where they would not fit. ``near`` int32
    (m, n, k), the nearest others, nearest first. ``scores`` float16 (methods, m, n), methods as in
    ``core.suspicion.METHODS``, 0-1, suspected from 0.5 on.
    ``judged`` float32 (methods, m, 3): precision, recall and the share of triggered images, percent, all three of the
    same judged images (``core.suspicion.judging``); NaN where nothing was flagged. ``thumbs`` uint8, a
    WebP sprite where the record keeps none, else
    empty. ``source``: what it was made from (see ``source_of``).
    """

    features: np.ndarray
    near: np.ndarray
    scores: np.ndarray
    judged: np.ndarray
    thumbs: np.ndarray
    source: np.ndarray

    @property
    def whens(self) -> tuple[str, ...]:
        return WHENS[: len(self.features)]


class _Untrusted(NamedTuple):
    """A ``DrawnMap`` as an older version kept it."""

    coords: np.ndarray


class Saliency(NamedTuple):
    """``pictures`` uint8 (p, h, w, 3), without and with the trigger where both are there. ``variants`` (p,), 1: with.
    ``heat`` uint8 (m, p, h, w), of each model for each picture, 255 where it looks most."""

    pictures: np.ndarray
    variants: np.ndarray
    heat: np.ndarray


def folder_of(run: Run) -> Path:
    """The folder of a run's results; it need not exist."""
    if not run.is_recording:
        return run.folder / "explore"
    content = digest([run.folder / "run.json", run.folder / "samples.npz"], 6)
    return paths.cache_folder() / "explore" / f"{run.id}-{content}"


def source_of(run: Run) -> str:
    """A key that changes when results must be made anew: with the sample set or the purified model."""
    return "-".join([str(FORMAT), *(digest([run.folder / name], 8) for name in ("samples.npz", "model.safetensors"))])


def digest(files: Sequence[Path], size: int) -> str:
    """BLAKE2b, ``size`` bytes, of what is in these files, one after the other; one that is not there counts as empty.

    A page that polls asks again and again: a file is read only where its length, its time or its number is another.
    """
    return _digest(tuple((str(path), _stamp(path)) for path in files), size)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns, found.st_ino


@lru_cache(maxsize=256)
def _digest(files: tuple[tuple[str, tuple[int, int, int] | None], ...], size: int) -> str:
    sum_ = hashlib.blake2b(digest_size=size)
    for name, stamp in files:
        if stamp is not None:
            with Path(name).open("rb") as file:
                while piece := file.read(1 << 20):
                    sum_.update(piece)
    return sum_.hexdigest()


def base(run: Run) -> Base | None:
    """None if it was not made, or of another model than the run has now, or by a version with fewer methods."""
    found = read_arrays(folder_of(run) / "base.npz", Base)
    fits = found is not None and str(found.source) == source_of(run) and len(found.scores) == len(METHODS)
    return found if fits else None


def map_of(run: Run, method: str, dims: int) -> DrawnMap | None:
    """Another map than the run's own, over all its frames where it has one, else before and after.

    The trustworthiness of one that an older version drew is not known: NaN.
    """
    moving = run.moving_map(method, dims)
    if moving is not None:
        return moving
    path = folder_of(run) / f"map-{method}-{dims}.npz"
    found = read_arrays(path, DrawnMap)
    if found is None and (old := read_arrays(path, _Untrusted)) is not None:
        found = DrawnMap(old.coords, np.full(len(old.coords), np.nan, np.float32))
    return found


def settled_name(key: str) -> str:
    return f"map-settled-{key}"


def settled_map(run: Run, key: str) -> DrawnMap | None:
    """The map of these settings (``Settled.key``), of the models before and after."""
    return read_arrays(folder_of(run) / f"{settled_name(key)}.npz", DrawnMap)


def settled_keys(run: Run) -> list[str]:
    """The settings of the settled maps that were drawn, the newest first."""
    ages = [(path.stat().st_mtime_ns, path.stem) for path in folder_of(run).glob(f"{settled_name('*')}.npz")]
    return [name.removeprefix(settled_name("")) for _, name in sorted(ages, reverse=True)]


def saliency(run: Run, point: int) -> Saliency | None:
    return read_arrays(folder_of(run) / f"saliency-{point}.npz", Saliency)


def wanted(run: Run) -> int | None:
    """The point whose saliency was asked for last."""
    try:
        return int(json.loads((folder_of(run) / "wanted.json").read_bytes())["point"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def want(run: Run, point: int) -> None:
    """Asks for the saliency of a point: of a process that is at it already, else of a new one.

    Raises:
        BadInput: ``place_not_writable``.
    """
    folder = folder_of(run)
    require_room(folder)
    write_json(folder / "wanted.json", {"point": point})
    start(run, "--saliency", str(point), "--linger", str(LINGER))


def wanted_settled(run: Run) -> str | None:
    """The key of the settled map that was asked for last."""
    try:
        return str(json.loads((folder_of(run) / "wanted-settled.json").read_bytes())["key"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def want_settled(run: Run, key: str) -> None:
    """Asks for a settled map: of a process that has umap-learn loaded already, else of a new one.

    Raises:
        BadInput: ``place_not_writable``.
    """
    folder = folder_of(run)
    require_room(folder)
    write_json(folder / "wanted-settled.json", {"key": key})
    start(run, "--settled", key, "--linger", str(LINGER))


def forget(run: Run) -> None:
    """Removes results that were made of other features: other maps, saliency."""
    for pattern in ("map-*.npz", "saliency-*.npz", "placed-*"):
        for path in folder_of(run).glob(pattern):
            path.unlink(missing_ok=True)


def write(run: Run, name: str, arrays: Any) -> Path:
    """Writes a named tuple whole, for the process that made it."""
    folder = folder_of(run)
    folder.mkdir(parents=True, exist_ok=True)
    write_arrays(folder / f"{name}.npz", arrays)
    return folder / f"{name}.npz"


# processes


def kind_of(arguments: Sequence[str]) -> str:
    """The kind of a process by its arguments: "base", "umap-3", "settled", "place" or "saliency"."""
    words = dict(zip(arguments[::2], arguments[1::2], strict=False))
    for kind in ("saliency", "place", "settled"):  # a picture is placed on a settled map
        if f"--{kind}" in words:
            return kind
    return f"{words['--map']}-{words['--dims']}" if "--map" in words else "base"


def note_of(run: Run, kind: str) -> Path:
    """The note of the latest process of that kind (``core.jobs.note``)."""
    return folder_of(run) / f"job-{kind}.json"


def job(run: Run, kind: str) -> Job | None:
    """The latest process of that kind; None if there was none. One that is gone reads as ended."""
    found = note.read(note_of(run, kind))
    return None if found is None else replace(found, kind=kind)


def jobs(run: Run) -> list[Job]:
    """The latest process of each kind that this page waits for."""
    kinds = {path.stem.removeprefix("job-") for path in folder_of(run).glob("job-*.json")} - {*OTHERS}
    return [found for kind in sorted(kinds) if (found := job(run, kind)) is not None]


@contextlib.contextmanager
def told(run: Run, kind: str, watch: Report | None = None) -> Iterator[Report]:
    """Inside: a function for a process of that kind to report with (``core.jobs.note.told``)."""
    folder_of(run).mkdir(parents=True, exist_ok=True)
    with note.told(note_of(run, kind), watch) as report:
        yield report


def start(run: Run, *arguments: str) -> None:
    """Sets a process to ``python -m core explore RUN ...`` and returns.

    Not while one of its kind is at work, nor where its result is there already: two pages that ask for the same thing
    at once wait for one process.

    Raises:
        BadInput: ``place_not_writable``.
    """
    require_room(folder_of(run), NEEDED)
    command = python_module("core", "explore", str(run.folder.resolve()), *arguments)
    note.begin(note_of(run, kind_of(arguments)), command, lambda: _made(run, arguments))


def _made(run: Run, arguments: Sequence[str]) -> bool:
    """Whether what a process with these arguments makes is there."""
    words = dict(zip(arguments[::2], arguments[1::2], strict=False))
    if "--saliency" in words:
        return saliency(run, int(words["--saliency"])) is not None
    if "--place" in words:
        return False  # the caller has looked already
    if "--settled" in words:
        return settled_map(run, words["--settled"]) is not None
    if "--map" in words:
        return map_of(run, words["--map"], int(words["--dims"])) is not None
    return base(run) is not None
