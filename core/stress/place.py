"""Results of a run's test track: their files, which are read without torch, and the process that makes them.

================ ======================================================================================================
``stress.json``  the result, whole: see ``core.stress.track.run_track``
``stress_quick.json`` likewise, of fewer images and strengths; it never takes the place of a full one
``stress_contamination.json`` the purifications with unclean images, and the ``source`` they are of
``stress-*.json`` a result that is not whole yet, by its models, images and settings: its cells as they come
``job-stress.json`` the latest process, as in ``core.explore.place``
``stress.lock``   held by the process at work, be it of the page or of the command line
================ ======================================================================================================

They lie beside what the page Explore keeps of a run; a shipped recording may bring its own ``stress.json``.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from core.errors import BadInput
from core.explore import place as explored
from core.files import dump_json, require_room, write_json
from core.jobs import note
from core.jobs.lock import held
from core.jobs.note import Job
from core.jobs.spawn import python_module
from core.runs import hashes
from core.runs.record import Run
from core.stress.settings import STRENGTHS, Settings

FORMAT = 1
KIND = "stress"
FILE = "stress.json"
QUICK = "stress_quick.json"
CONTAMINATION = "stress_contamination.json"
LOCK = "stress.lock"
GOING = ("queued", "running", "paused")


def require_pair(run: Run) -> None:
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
    files = explored.digest([hashes.purified_file(run), run.folder / "trigger.npz"], 8)
    return f"{FORMAT}-{_short(dump_json(known))}-{files}"


def key_of(run: Run, settings: Settings, shifted: str | None = None) -> str:
    """Of the models, images and settings of a result. ``shifted``: the hash of the second folder's images."""
    return _short(dump_json([source_of(run), asdict(settings), shifted]))


def _short(text: str) -> str:
    return hashlib.blake2b(text.encode(errors="surrogateescape"), digest_size=6).hexdigest()


def result(run: Run) -> dict[str, Any] | None:
    """The latest whole result that is of the models the run has now: a full one before a quick one, and a recording's
    own where none was made here."""
    found = _results(run)
    return found[0] if found else None


def result_of(run: Run, key: str) -> dict[str, Any] | None:
    """The whole result of that key; None where there is none, or another took its place."""
    return next((found for found in _results(run) if found.get("key") == key), None)


def _results(run: Run) -> list[dict[str, Any]]:
    """All that are of the models the run has now, full ones first."""
    source, folder = source_of(run), explored.folder_of(run)
    read = [_read(path) for path in (folder / FILE, run.folder / FILE, folder / QUICK)]
    return sorted((found for found in read if found and found.get("source") == source), key=_is_quick)


def file_of(run: Run, found: dict[str, Any]) -> Path:
    """Where a whole result lies."""
    own = _own_file(run, found)
    return own if own.exists() else run.folder / FILE


def _own_file(run: Run, found: dict[str, Any]) -> Path:
    return explored.folder_of(run) / (QUICK if _is_quick(found) else FILE)


def _is_quick(found: dict[str, Any]) -> bool:
    strengths = (found.get("settings") or {}).get("strengths")
    return strengths is not None and len(strengths) < len(STRENGTHS)


def contaminations(run: Run) -> list[dict[str, Any]]:
    """The rows of ``core.stress.contamination.purify`` that are of the models the run has now."""
    found = _json(explored.folder_of(run) / CONTAMINATION)
    if found is not None and found.get("source") == source_of(run) and isinstance(found.get("rows"), list):
        return list(found["rows"])
    return list((result(run) or {}).get("dirty") or [])  # an older version kept them there


def keep_contaminations(run: Run, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Writes the rows in order, by kind and share, and returns them so."""
    rows = sorted(rows, key=lambda row: (row["kind"], row["share"]))
    folder = explored.folder_of(run)
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / CONTAMINATION, {"source": source_of(run), "rows": rows})
    return rows


@contextlib.contextmanager
def alone(run: Run) -> Iterator[None]:
    """Inside, no other process is on this run's test track: two would overwrite one another's cells.

    To be entered before the note of the job is written, so that the note stays that of the process at work. The lock of
    ``core.jobs.note.begin`` is another one, held for moments, or a page would wait on it for minutes.

    Raises:
        BadInput: ``stress_going``.
    """
    folder = explored.folder_of(run)
    folder.mkdir(parents=True, exist_ok=True)
    with held(folder / LOCK, patience=0.0) as ours:
        if not ours:
            raise BadInput(
                "stress_going",
                f"The run {run.id} is on the test track already, from the page or another command; wait until that has "
                "ended, or stop it.",
                run=run.id,
            )
        yield


def partial(run: Run, key: str | None = None) -> dict[str, Any] | None:
    """The unfinished result of that key, or the latest; None: there is none of the models the run has now."""
    paths = sorted(explored.folder_of(run).glob(f"stress-{key or '*'}.json"), key=lambda path: path.stat().st_mtime_ns)
    found = _read(paths[-1]) if paths else None
    return found if found and found.get("source") == source_of(run) else None


def _read(path: Path) -> dict[str, Any] | None:
    found = _json(path)
    return found if found is not None and isinstance(found.get("cells"), list) else None


def _json(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def keep(run: Run, found: dict[str, Any]) -> None:
    """Writes a result that is not whole yet."""
    folder = explored.folder_of(run)
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / f"stress-{found['key']}.json", found)


def finish(run: Run, found: dict[str, Any]) -> Path:
    """Writes a whole result, and removes what was kept on the way to it, or of models that the run has no more."""
    folder, file = explored.folder_of(run), _own_file(run, found)
    write_json(file, found)
    for path in folder.glob("stress-*.json"):
        other = _read(path)
        if other is None or other.get("key") == found["key"] or other.get("source") != found["source"]:
            with contextlib.suppress(OSError):
                path.unlink()
    return file


def job(run: Run) -> Job | None:
    """The latest process; None if there was none."""
    return explored.job(run, KIND)


def start(run: Run, *arguments: str) -> None:
    """Sets a process to ``python -m core stress RUN ...`` and returns; not while one is at work.

    Raises:
        BadInput: as ``require_pair``; ``place_not_writable``.
    """
    require_pair(run)
    require_room(explored.folder_of(run))
    note.begin(explored.note_of(run, KIND), python_module("core", "stress", str(run.folder.resolve()), *arguments))
