"""Where a run's test track lies, reading it without torch, and the process that drives it.

================ ======================================================================================================
``stress.json``  the result, whole: see ``core.stress.track.drive``
``stress-*.json`` a drive that is not over, by what it is driven with: its cells as they come
``job-stress.json`` the latest process, as in ``core.explore.place``
================ ======================================================================================================

They lie beside what the page Explore keeps of a run; a shipped recording may bring its own ``stress.json``.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from core.errors import BadInput
from core.explore import place as explored
from core.files import dump_json, require_room, write_json
from core.jobs import note
from core.jobs.note import Job
from core.jobs.spawn import python_module
from core.runs import hashes
from core.runs.record import Run
from core.stress.settings import Settings

FORMAT = 1
KIND = "stress"
FILE = "stress.json"
GOING = ("queued", "running", "paused")


def require_drivable(run: Run) -> None:
    """Before anything is loaded.

    Raises:
        BadInput: ``stress_run_going``, ``no_purified_model``.
    """
    if run.status in GOING and not run.is_recording:
        raise BadInput(
            "stress_run_going", f"The run {run.id} is still going; wait until it has ended, or stop it.", run=run.id
        )
    if not hashes.purified_file(run).exists():
        raise BadInput(
            "no_purified_model",
            f"The run {run.id} keeps no purified model to put beside the original: it was a scan, did not end, or "
            "handed nothing out; purify the model anew, with --accept if you take whatever comes of it.",
            run=run.id,
        )


def source_of(run: Run) -> str:
    """Changes with the models and images that a result is made from, as far as the record and the run's folder say."""
    data = run.data
    known = {name: data.get(name) for name in ("inputs", "victim_sha256", "spec")}
    files = explored.digest([run.folder / "model.safetensors", run.folder / "trigger.npz"], 8)
    return f"{FORMAT}-{_short(dump_json(known))}-{files}"


def key_of(run: Run, settings: Settings, shifted: str | None = None) -> str:
    """Of what a drive is driven with. ``shifted``: the hash of the second folder's images."""
    return _short(dump_json([source_of(run), asdict(settings), shifted]))


def _short(text: str) -> str:
    return hashlib.blake2b(text.encode(errors="surrogateescape"), digest_size=6).hexdigest()


def result(run: Run) -> dict[str, Any] | None:
    """The latest whole result that is of the models the run has now; a recording's own where none was driven here."""
    source = source_of(run)
    for folder in (explored.folder_of(run), run.folder):
        found = _read(folder / FILE)
        if found and found.get("source") == source:
            return found
    return None


def partial(run: Run, key: str | None = None) -> dict[str, Any] | None:
    """The drive of that key, or the latest, that is not over; None: there is none of the models the run has now."""
    paths = sorted(explored.folder_of(run).glob(f"stress-{key or '*'}.json"), key=lambda path: path.stat().st_mtime_ns)
    found = _read(paths[-1]) if paths else None
    return found if found and found.get("source") == source_of(run) else None


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and isinstance(found.get("cells"), list) else None


def keep(run: Run, found: dict[str, Any]) -> None:
    """Writes a drive that is not over."""
    folder = explored.folder_of(run)
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / f"stress-{found['key']}.json", found)


def finish(run: Run, found: dict[str, Any]) -> Path:
    """Writes a whole result, and removes what was kept on the way to it, or of models that the run has no more."""
    folder = explored.folder_of(run)
    write_json(folder / FILE, found)
    for path in folder.glob("stress-*.json"):
        other = _read(path)
        if other is None or other.get("key") == found["key"] or other.get("source") != found["source"]:
            with contextlib.suppress(OSError):
                path.unlink()
    return folder / FILE


def job(run: Run) -> Job | None:
    """The latest process; None if there was none."""
    return explored.job(run, KIND)


def start(run: Run, *arguments: str) -> None:
    """Sets a process to ``python -m core stress RUN ...`` and returns; not while one is at work.

    Raises:
        BadInput: as ``require_drivable``; ``place_not_writable``.
    """
    require_drivable(run)
    require_room(explored.folder_of(run))
    note.begin(explored.note_of(run, KIND), python_module("core", "stress", str(run.folder.resolve()), *arguments))
