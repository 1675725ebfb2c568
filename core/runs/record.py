"""The record of a run: a folder that says what was asked, what happened and how things stand.

======================= ===============================================================================================
``run.json``            see ``Run.data``
``events.jsonl``        one event a line: ``core.events.to_json`` plus ``t``, seconds at work since the run's start
                        (pauses and gaps between workers left out)
``samples.npz``         ``thumbs.webp``, ``examples.npz``, ``looks.npz``, ``frames/00000.npz``, ``trigger.npz``,
                        ``checkpoints/``: see ``core.runs.arrays``
``model.safetensors``   the purified weights, at the end
``control``             "run", "pause" or "stop" (absent: run); written by the supervisor, read by the worker
``worker.log``          what the worker printed
======================= ===============================================================================================
"""

from __future__ import annotations

import contextlib
import json
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
from core.runs.arrays import RunArrays
from core.runs.event_log import EventReader
from core.runs.spec import Spec

FORMAT = 1
GRACE = 15.0  # seconds a run may be queued before a worker must have reported

Status = Literal["queued", "running", "paused", "done", "stopped", "failed", "lost"]
Control = Literal["run", "pause", "stop"]
ENDED: tuple[Status, ...] = ("done", "stopped", "failed", "lost")


class Run(RunArrays):
    """A run's folder; keeps nothing in memory, so that what it says is what is on disk now.

    Args:
        folder: a folder with a ``run.json``.

    Raises:
        BadInput: ``run_not_found``, ``not_a_run``, ``run_unreadable`` or ``run_too_new``.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        data = self.data
        # among the runs a copy goes by its own folder's name; a folder elsewhere by that of the link to it
        own = self.folder.parent == paths.runs_folder() and not self.folder.is_symlink()
        self.id = self.folder.name if own else str(data.get("id", self.folder.name))
        self.created = str(data.get("created"))  # ISO 8601, UTC

    def __repr__(self) -> str:
        return f"Run({str(self.folder)!r})"

    @property
    def data(self) -> dict[str, Any]:
        """What ``run.json`` holds.

        ``format``, ``id``, ``created`` (ISO 8601, UTC), ``queued`` (when a worker was last asked for), ``status`` as
        last written (``Run.status`` is the truth), ``spec``, ``worker`` ({pid, started} or None), ``machine``,
        ``versions``, ``git_commit``, ``classes`` (names), ``target``, ``inputs`` and ``outputs`` (SHA-256 by kind, see
        ``core.runs.hashes``; absent in older records), ``result`` (figures, when done), ``failure``
        ({code, message, facts} or None), ``recording`` (True: shipped), maybe ``title``; and where runs follow one
        another (``core.runs.queue``) ``group``, the same for all of them, and ``after``, the id of the run that this
        one waits for.
        """
        name = self.folder.name
        try:
            data = json.loads((self.folder / "run.json").read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            if not self.folder.exists():
                raise BadInput("run_not_found", f"There is no run {self.folder}.", run=str(self.folder)) from None
            raise BadInput(
                "not_a_run", f"{self.folder} is not a run: there is no run.json in it.", path=str(self.folder)
            ) from None
        except (OSError, ValueError) as error:
            raise _unreadable(self.folder, str(error)) from None
        if not (isinstance(data, dict) and isinstance(data.get("format"), int) and isinstance(data.get("spec"), dict)):
            raise _unreadable(self.folder, "it lacks a format number and a spec")
        if data["format"] > FORMAT:
            raise BadInput(
                "run_too_new",
                f"The run {name} was written by a newer version of Dissolve (format {data['format']}, "
                f"this one reads up to {FORMAT}); update Dissolve to open it.",
                run=name,
                format=data["format"],
                allowed=FORMAT,
            )
        return data

    @property
    def spec(self) -> Spec:
        return Spec.from_dict(self.data["spec"])

    @property
    def is_recording(self) -> bool:
        """Whether this run is shipped with the project, and so neither resumed nor deleted."""
        return bool(self.data.get("recording"))

    @property
    def status(self) -> Status:
        """How the run stands now; "lost" if it should be at work and its worker is gone."""
        data = self.data
        while (stored := data.get("status")) in ("queued", "running", "paused") and not data.get("recording"):
            worker = data.get("worker")
            if process.find(worker) is not None or (worker is None and self._is_expected(data)):
                return stored
            # The worker may have written its last word, and ended, after this record was read.
            before, data = data, self.data
            if data == before:
                return "lost"
        return stored if stored in ENDED else "lost"

    def _is_expected(self, data: dict[str, Any]) -> bool:
        """Whether a worker may still come: it has just been asked for, or the run before this one is at work."""
        asked = [data.get("queued")]
        if data.get("after"):
            with contextlib.suppress(BadInput):
                before = Run(self.folder.parent / str(data["after"]))
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
        write_json(self.folder / "run.json", self.data | changes)

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
    """Bytes that a run will write, roughly: the map, checkpoints, and the result in two formats."""
    weights = 0
    with contextlib.suppress(OSError):
        weights = os.path.getsize(paths.expanded(str(spec.weights))) if spec.weights else 0
    return 4 * MB if spec.scan_only else 16 * MB + 4 * weights


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


def _unreadable(folder: Path, reason: str) -> BadInput:
    return BadInput(
        "run_unreadable",
        f"The record {folder / 'run.json'} cannot be read: {reason}.",
        run=folder.name,
        reason=reason,
    )
