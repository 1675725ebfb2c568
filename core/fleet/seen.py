"""A cache of finished runs: the same weights, images, version and settings are never examined twice.

The key of a run is made of the SHA-256 of weights and images, the version of Dissolve, and the order without paths.
Runs record it as ``fleet_key``. A note in the cache has the path of a finished run of a key, and the next fleet copies
that run, so that its folder is complete by itself.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import secrets
import shutil
from pathlib import Path
from typing import Any

import core
from core import paths
from core.data import IMAGE_SETS
from core.errors import BadInput
from core.files import write_json
from core.runs import file_hashes, hashes, record
from core.runs.record import Run
from core.runs.spec import Spec
from core.shards import shards

NOTED = "fleet_key"
# Faults that do not lie in the files: another start may come to something else.
PASSING = (
    "internal", "out_of_memory", "disk_full", "run_not_started", "changed_while_read", "device_missing",
    "weights_changed", "images_changed", "input_gone",
)  # fmt: skip
NOT_COPIED = ("checkpoints", "worker.lock", "worker.log", "control")


def key(spec: Spec, weights: str, images: str, version: str = core.__version__) -> str:
    """The name of a run's work.

    Args:
        weights, images: SHA-256; of a shipped set its name.
        version: of Dissolve.
    """
    order = {name: value for name, value in spec.to_dict().items() if name not in ("weights", "images", "device")}
    asked = json.dumps([version, weights, images, order], sort_keys=True)
    return hashlib.sha256(asked.encode()).hexdigest()[:24]


def is_final(run: Run) -> bool:
    """Whether another try would come to the same: it is done, or failed for a reason that lies in the files."""
    data = run.data
    if data["status"] == "failed":
        return (data.get("failure") or {}).get("code", "internal") not in PASSING
    return data["status"] == "done"


class Hashes:
    """SHA-256 of weights and images, each read once in each state, also over restarts.

    Args:
        note: the file it is kept in.
    """

    def __init__(self, note: Path) -> None:
        self._note = note
        self._images: dict[str, str | BadInput] = {}
        self._known: dict[str, Any] = {}
        with contextlib.suppress(OSError, ValueError):
            found = json.loads(note.read_bytes())
            self._known = found if isinstance(found, dict) else {}

    def weights(self, path: str) -> str:
        """Of a file of weights.

        Raises:
            BadInput: ``weights_not_found``.
        """
        if not paths.is_file(path):
            raise _weights_gone(path)
        try:
            stamp = _stamp(path)
            known = self._known.get(path)
            if isinstance(known, list) and known[:-1] == stamp:
                return str(known[-1])
            found = file_hashes.of_weights(path)
        except OSError:
            raise _weights_gone(path) from None
        self._known[path] = [*stamp, found]
        return found

    def images(self, images: str) -> str:
        """Of a folder or an .npz; of a shipped set its name. They are taken once for a whole fleet.

        Raises:
            BadInput: ``images_not_found``; as ``core.data.layout.layout``.
        """
        if images in IMAGE_SETS:
            return images
        if images not in self._images:
            try:
                self._images[images] = file_hashes.of_images(images)
            except BadInput as fault:
                self._images[images] = fault
            except OSError:
                allowed = ", ".join(IMAGE_SETS)
                self._images[images] = BadInput(
                    "images_not_found",
                    f"{images!r} is neither an image set ({allowed}) nor a folder or .npz file that exists.",
                    images=images, allowed=allowed,
                )  # fmt: skip
        found = self._images[images]
        if isinstance(found, BadInput):
            raise found
        return found

    def save(self) -> None:
        write_json(self._note, self._known)


def runs_by_key(folder: Path) -> dict[str, Run]:
    """The runs in a fleet's folder of runs, by their keys; of several the one that came furthest, then the newest."""
    found: dict[str, Run] = {}
    for run in reversed(record.list_runs(folder, recordings=False)):
        noted = run.data.get(NOTED)
        if noted and not (noted in found and is_final(found[noted]) and not is_final(run)):
            found[str(noted)] = run
    return found


def remember(run: Run) -> None:
    """Notes where the finished run of its key lies."""
    note = _note(str(run.data[NOTED]))
    note.parent.mkdir(parents=True, exist_ok=True)
    write_json(note, {"run": str(run.folder.resolve())})


def fetched(wanted: str, folder: Path) -> Run | None:
    """A copy, in ``folder``, of the run of that key that was done before; None where there is none, or none whole."""
    try:
        there = Path(json.loads(_note(wanted).read_bytes())["run"])
        before = Run(there)
        if before.data.get(NOTED) != wanted or before.data["status"] != "done" or hashes.result_fault(before):
            return None
        target = folder / there.name
        half = folder / f".{there.name}.{secrets.token_hex(4)}"
        if not target.exists():
            shutil.copytree(there, half, ignore=shutil.ignore_patterns(*NOT_COPIED))
            half.rename(target)
        return Run(target)
    except (OSError, ValueError, KeyError, TypeError, BadInput, shutil.Error):
        return None


def _note(wanted: str) -> Path:
    return paths.cache_folder() / "fleet" / f"{wanted}.json"


def _stamp(path: str) -> list[int]:
    """What tells that a file, or one of those that it names, is another than before.

    Size and time of change can be given back to another content; the time of the last change of anything about the
    file (ctime) is set by the system alone.
    """
    stats = [file.stat() for file in (Path(path), *shards(Path(path)))]
    return [figure for s in stats for figure in (s.st_size, s.st_mtime_ns, s.st_ctime_ns, s.st_ino)]


def _weights_gone(path: str) -> BadInput:
    return BadInput(
        "weights_not_found",
        f"There is no file {path} that can be read; give a file of weights (.safetensors, a PyTorch state_dict or a "
        ".pt2 archive).",
        path=path,
    )
