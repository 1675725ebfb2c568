"""The record of a run: a folder that says what was asked, what happened and how things stand.

======================= ===============================================================================================
``run.json``            see ``Snapshot.data``
``events.jsonl``        one event a line: ``core.events.to_json`` plus ``t``, seconds at work since the run's start
                        (pauses and gaps between workers left out)
``samples.npz``         ``thumbs.webp``, ``examples.npz``, ``looks.npz``, ``frames/00000.npz``, ``trigger.npz``,
                        ``trigger-2.npz``: see ``core.runs.arrays``
``checkpoints/``        see ``core.runs.checkpoints``
``features/00000.npz``  ``maps/tsne-2.npz``: see ``core.runs.moving``
``model.safetensors``   the purified weights, at the end
``control``             "run", "pause" or "stop" (absent: run); written by the supervisor, read by the worker
``worker.log``          what the worker printed
======================= ===============================================================================================
"""

from __future__ import annotations

import contextlib
import os
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

from core import paths
from core.errors import BadInput
from core.events import Event
from core.files import MB, require_room, write_atomic, write_json
from core.jobs import process
from core.runs.event_log import EventReader
from core.runs.moving import RunMaps
from core.runs.snapshot import ENDED, FORMAT, Snapshot, Status, parsed
from core.runs.spec import Spec

FEATURES_A_POINT = 8 << 10  # bytes: at most 64 columns in float16, of some 60 frames (``core.runs.moving``)
GRACE = 15.0  # seconds a run may be queued before a worker must have reported

Control = Literal["run", "pause", "stop"]


class Run(RunMaps):
    """A run's folder. ``data``, ``spec`` and ``status`` read the record anew each time they are asked for; who needs
    more than one of its entries, or the same ones again, takes ``snapshot()`` once.

    Args:
        folder: a folder with a ``run.json``.

    Raises:
        BadInput: ``run_not_found``, ``not_a_run``, ``run_unreadable`` or ``run_too_new``.

    Attributes:
        id, created (ISO 8601, UTC): never change.
        is_recording: whether this run is shipped with the project, and so neither resumed nor deleted.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        data = self.data
        # among the runs a copy goes by its own folder's name; a folder elsewhere by that of the link to it
        own = self.folder.parent == paths.runs_folder() and not self.folder.is_symlink()
        self.id = self.folder.name if own else str(data.get("id", self.folder.name))
        self.created = str(data.get("created"))
        self.is_recording = bool(data.get("recording"))

    def __repr__(self) -> str:
        return f"Run({str(self.folder)!r})"

    @property
    def data(self) -> dict[str, Any]:
        """What ``run.json`` holds now; see ``Snapshot.data``."""
        return parsed(self.folder)

    @property
    def spec(self) -> Spec:
        """What was asked for, as it is on record now."""
        return Spec.from_dict(self.data["spec"])

    @property
    def status(self) -> Status:
        """How the run stands now."""
        return self.snapshot().status

    def snapshot(self) -> Snapshot:
        """The record as it is now, and how the run stands by it."""
        data = self.data
        while (stored := data.get("status")) in ("queued", "running", "paused") and not data.get("recording"):
            worker = data.get("worker")
            if process.find(worker) is not None or (worker is None and self._is_expected(data)):
                return Snapshot(data, stored)
            # The worker may have written its last word, and ended, after this record was read.
            before, data = data, self.data
            if data == before:
                return Snapshot(data, "lost")
        return Snapshot(data, stored if stored in ENDED else "lost")

    def _is_expected(self, data: dict[str, Any]) -> bool:
        """Whether a worker may still come: it has just been asked for, or the run before this one is at work."""
        asked = [data.get("queued")]
        if data.get("after"):
            with contextlib.suppress(BadInput):
                before = Run(self.folder.parent / str(data["after"])).snapshot()
                if before.status not in ENDED:
                    return True
                asked.append(before.data.get("ended"))
        return min(_seconds_since(moment) for moment in asked) < GRACE

    # what happened

    def reader(self, offset: int = 0) -> EventReader:
        """A reader that goes on where it stopped: what a page polls."""
        return EventReader(self.folder / "events.jsonl", offset)

    def events(self, start: int = 0) -> list[tuple[float, Event]]:
        """All events from number ``start`` on, each with its ``t``."""
        return self.reader().read()[start:]

    # for the worker and the supervisor

    def update(self, **changes: Any) -> None:
        """Change entries of ``run.json``; only for the one process that holds the run's lock."""
        data = self.data | changes
        write_json(self.folder / "run.json", data)
        self.is_recording = bool(data.get("recording"))

    @property
    def control(self) -> Control:
        """What the run was last told."""
        try:
            word = (self.folder / "control").read_text().strip()
        except OSError:
            return "run"
        return word if word in ("pause", "stop") else "run"  # type: ignore[return-value]

    def tell(self, word: Control) -> None:
        """Tell the worker to run, pause or stop; it obeys before its next step."""
        write_atomic(self.folder / "control", word.encode())


class Broken(NamedTuple):
    """A folder among the runs that cannot be read as one, and why."""

    folder: Path
    error: BadInput


class HeldRun(Run):
    """A run as its record stood at one moment: for a page that asks for many entries of it while it is drawn."""

    def __init__(self, run: Run) -> None:
        self.folder, self.id, self.created, self.is_recording = run.folder, run.id, run.created, run.is_recording
        self._told = run.snapshot()

    @property
    def data(self) -> dict[str, Any]:
        return self._told.data

    def snapshot(self) -> Snapshot:
        return self._told


def now() -> str:
    """This moment as kept in records: ISO 8601, UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def create(spec: Spec, root: Path | None = None, folder: Path | None = None, title: str | None = None) -> Run:
    """A new run, queued, without a worker.

    Args:
        spec: checked here.
        root: where runs are kept; ``core.paths.runs_folder()`` by default.
        folder: put the run here instead, in a folder that is empty or not there; ``root`` then links to it.
        title: shown instead of the model's name.

    Raises:
        BadInput: what ``Spec.validate`` finds; ``out_not_empty``; ``folder_not_writable``,
            ``place_not_writable``.
    """
    spec.validate()
    root = root or paths.runs_folder()
    moment = datetime.now(UTC)
    identifier = f"{moment:%Y%m%d-%H%M%S}-{spec.name}-{secrets.token_hex(2)}"
    home = paths.absolute(folder) if folder else root / identifier
    ours = not home.exists()
    try:
        home.mkdir(parents=True, exist_ok=folder is not None)
        if any(home.iterdir()):
            raise BadInput(
                "out_not_empty",
                f"The folder {home} is not empty; a run needs a new or an empty folder.",
                path=str(home),
            )
        require_room(home, _needed(spec))
        stamp = moment.isoformat(timespec="milliseconds")
        data: dict[str, Any] = {
            "format": FORMAT, "id": identifier, "created": stamp, "queued": stamp, "status": "queued",
            "spec": spec.resolved().to_dict(), "worker": None, "machine": {}, "versions": {}, "git_commit": None,
            "classes": [], "target": None, "result": None, "failure": None, "recording": False,
        }  # fmt: skip
        write_json(home / "run.json", data | ({"title": title} if title else {}))
    except BadInput:
        if ours:
            with contextlib.suppress(OSError):  # only if it is empty
                home.rmdir()
        raise
    except OSError as error:
        raise BadInput(
            "folder_not_writable",
            f"The run's folder {home} cannot be written ({error.strerror}); choose another one.",
            path=str(home),
            reason=str(error.strerror),
        ) from None
    if folder:
        with contextlib.suppress(OSError):  # the link is a convenience: the run works without
            root.mkdir(parents=True, exist_ok=True)
            (root / identifier).symlink_to(home, target_is_directory=True)
    return Run(home)


def _needed(spec: Spec) -> int:
    """Bytes that a run will write, roughly: the map with its features, checkpoints, the result in two formats, and the
    weights of each purification that another one follows."""
    weights = 0
    with contextlib.suppress(OSError):
        weights = os.path.getsize(paths.expanded(str(spec.weights))) if spec.weights else 0
    if spec.scan_only:
        return 4 * MB
    return 16 * MB + spec.points * FEATURES_A_POINT + (4 + spec.most_repeats) * weights


def open(run: str | Path, root: Path | None = None) -> Run:
    """The run of this id (also of a shipped recording), or in this folder.

    Raises:
        BadInput: as ``Run``.
    """
    if isinstance(run, str) and run and os.sep not in run and run not in (".", ".."):
        for place in (root or paths.runs_folder(), paths.RECORDINGS):
            with contextlib.suppress(OSError):  # a name no file system takes
                if (place / run).exists():
                    return Run(place / run)
    return Run(run or "?")


def find(name: str) -> Run:
    """As ``open``; "last" is the newest run that is no recording.

    Raises:
        BadInput: as ``Run``; ``run_not_found``, there is no run yet.
    """
    if name != "last":
        return open(name)
    runs = list_runs(recordings=False)
    if not runs:
        raise BadInput("run_not_found", "There is no run yet; start one with: python -m core purify", run=name)
    return runs[0]


def list_runs(root: Path | None = None, recordings: bool = True) -> list[Run]:
    """All runs that can be read, the newest first.

    Args:
        root: where runs are kept; ``core.paths.runs_folder()`` by default.
        recordings: whether the shipped ones are among them.
    """
    found = [entry for entry in _entries(root, recordings) if isinstance(entry, Run)]
    return sorted(found, key=lambda run: (run.created, run.folder.name), reverse=True)


def broken_runs(root: Path | None = None, recordings: bool = True) -> list[Broken]:
    """The folders that ``list_runs`` passes over, each with the reason."""
    return [entry for entry in _entries(root, recordings) if isinstance(entry, Broken)]


def _entries(root: Path | None, recordings: bool) -> list[Run | Broken]:
    entries: list[Run | Broken] = []
    for place in (root or paths.runs_folder(), *([paths.RECORDINGS] if recordings else [])):
        for folder in sorted(place.iterdir()) if place.is_dir() else []:
            if folder.name.startswith(".") or not folder.is_dir():
                continue
            try:
                run = Run(folder)
            except BadInput as error:
                entries.append(Broken(folder, error))
            else:
                if run.id == folder.name:  # else the link's run was deleted, and another put in its folder
                    entries.append(run)
    return entries


def _seconds_since(moment: str | None) -> float:
    try:
        return (datetime.now(UTC) - datetime.fromisoformat(str(moment))).total_seconds()
    except (ValueError, TypeError):
        return float("inf")
