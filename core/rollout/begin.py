"""A roll-out is begun, ended and asked after from the page. Light."""

from __future__ import annotations

import json
import os
from dataclasses import fields
from pathlib import Path

from core import paths
from core.files import require_room, write_json
from core.jobs import note
from core.jobs.note import Job
from core.jobs.spawn import python_module
from core.rollout import place
from core.rollout.rule import Rule
from core.runs import hashes
from core.runs.record import Run
from core.watch.place import not_found

INBOX = "inbox.json"  # which folder it was begun with


def can_roll_out(run: Run) -> bool:
    """Whether the run is over and handed out a purified model."""
    return (run.is_recording or run.status == "done") and hashes.purified_file(run).is_file()


def start(run: Run, inbox: Path, rule: Rule | None = None) -> None:
    """Sets a process to ``python -m core rollout RUN --inbox DIR``; not while one is at it.

    Args:
        rule: that of before by default.

    Raises:
        BadInput: ``inbox_not_found``, ``place_not_writable``; what else keeps it from beginning stands in its note.
    """
    if not os.path.isdir(inbox):
        raise not_found(inbox)
    folder = place.folder_of(run)
    require_room(folder)
    write_json(folder / INBOX, {"inbox": str(paths.absolute(inbox))})
    words = ["rollout", str(run.folder.resolve()), "--inbox", str(paths.absolute(inbox)), "--note"]
    for item in fields(Rule):
        if rule is not None and item.name != "alarms":
            words += [f"--{item.name.replace('_', '-')}", str(getattr(rule, item.name))]
    note.begin(folder / place.JOB, python_module("core", *words))


def inbox_of(run: Run) -> Path | None:
    """The folder it was begun with from the page; None if it was not."""
    try:
        return Path(json.loads((place.folder_of(run) / INBOX).read_bytes())["inbox"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def job(run: Run) -> Job | None:
    """The latest process of the roll-out that was begun from the page."""
    return note.read(place.folder_of(run) / place.JOB)


def stop(run: Run) -> None:
    """Asks that process to end, which it does once the images it has in hand are written down."""
    note.end(place.folder_of(run) / place.JOB)
