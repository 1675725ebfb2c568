"""Where a watch keeps its files, and what they hold. Light: a page may read it all.

========================== ============================================================================================
``profile-<hash>.json``    and ``.npz``: the profile of the model whose file has that SHA-256 (``core.watch.profile``)
``<inbox>-<hash>/``        of one inbox:
``  inbox.json``           its path, the model watched, and since when
``  log.jsonl``            all that was seen, in order: the one truth, from which alerts follow (``core.watch.alerts``)
``  alerts.jsonl``         alerts, what was sent, what was acknowledged
``  sending.lock``         held by the process that sends alerts
``  job.json``             the process, where the watch was begun from the page (``core.jobs.note``)
========================== ============================================================================================
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any

from core import paths
from core.errors import BadInput
from core.files import require_room
from core.jobs import note
from core.jobs.note import Job
from core.jobs.spawn import python_module
from core.runs.record import Run

LOG, ALERTS, ABOUT, JOB, SENDING = "log.jsonl", "alerts.jsonl", "inbox.json", "job.json", "sending.lock"


def folder_of(run: Run) -> Path:
    """Beside the run; of a shipped recording, which stays as it is, in the user's own folder."""
    return paths.home() / "watch" / run.id if run.is_recording else run.folder / "watch"


def inbox_folder(run: Run, inbox: Path) -> Path:
    """Of one inbox, known by its path; it need not exist."""
    path = paths.absolute(inbox)
    name = re.sub(r"[^a-z0-9]+", "-", path.name.lower()).strip("-")[:30] or "inbox"
    return folder_of(run) / f"{name}-{hashlib.sha256(os.fsencode(path)).hexdigest()[:8]}"


def profile_path(run: Run, which: str, model_sha256: str) -> Path:
    """Of the profile of a model, by its file's hash: a changed model has a profile of its own."""
    return folder_of(run) / f"profile-{which}-{model_sha256[:12]}.json"


def watched_inboxes(run: Run) -> list[Path]:
    """The folders of all inboxes that were ever watched with this run."""
    folder = folder_of(run)
    found = folder.iterdir() if folder.is_dir() else []
    return sorted(entry for entry in found if (entry / ABOUT).is_file())


def about(folder: Path) -> dict[str, Any]:
    """What ``inbox.json`` says; empty where it cannot be read."""
    try:
        found = json.loads((folder / ABOUT).read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def start(run: Run, inbox: Path) -> Path:
    """Sets a process to ``python -m core watch RUN --inbox DIR`` and returns its folder; not while one is at it.

    Raises:
        BadInput: ``inbox_not_found``, ``place_not_writable``; what else keeps it from beginning stands in its note.
    """
    if not os.path.isdir(inbox):
        raise not_found(inbox)
    folder = inbox_folder(run, inbox)
    require_room(folder)
    words = ("watch", str(run.folder.resolve()), "--inbox", str(paths.absolute(inbox)), "--note")
    note.begin(folder / JOB, python_module("core", *words))
    return folder


def not_found(inbox: Path) -> BadInput:
    return BadInput(
        "inbox_not_found", f"There is no folder {inbox} that can be read; make it, or name another inbox.",
        path=str(inbox),
    )  # fmt: skip


def job(folder: Path) -> Job | None:
    """The latest process of an inbox's folder that was begun from the page; None if there was none."""
    return note.read(folder / JOB)


def stop(folder: Path) -> None:
    """Asks that process to end, which it does once the images it has in hand are written down."""
    note.end(folder / JOB)
