"""Files of a run that a fleet takes over: a scan into a purification, and the picture of a trigger into the fleet."""

from __future__ import annotations

import base64
import shutil
from pathlib import Path

from core.events import Finished
from core.files import write_atomic
from core.fleet import place
from core.report.pictures import trigger_alone
from core.runs.event_log import EventWriter
from core.runs.record import Run

GREY = 0.6  # 0-1, behind a trigger: light and dark triggers are both visible on it


def continue_scan(scan: Run, run: Run) -> None:
    """Lets a new run continue a scan of the same model: copies its triggers, events and input hashes."""
    shutil.copyfile(scan.folder / "trigger.npz", run.folder / "trigger.npz")
    with EventWriter(run.folder / "events.jsonl") as log:
        for moment, event in scan.events():
            if not isinstance(event, Finished):
                log.append(moment, event)
    run.update(inputs=scan.data.get("inputs") or {}, target=scan.data.get("target"))


def keep_picture(run: Run, folder: Path) -> None:
    """Writes the reconstructed trigger of a run as ``pictures/<run>.png``, once."""
    path = place.picture_of(folder, run.folder.name)
    trigger = None if path.exists() else run.triggers("trigger")
    if trigger is not None:
        path.parent.mkdir(exist_ok=True)
        write_atomic(path, base64.b64decode(trigger_alone(trigger, GREY).partition(",")[2]))
