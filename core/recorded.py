"""Recordings of a fleet, a watch and a visit to the data room, which ship with the project. Imports no torch.

Each is a folder below ``core.paths.RECORDED``, made by the module ``recording`` of its own room. Its ``recording.json``
holds the SHA-256 of every file in it, and of the shipped files that it tells of: a recording that was changed, or whose
models were trained anew since, is none.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core import paths
from core.files import write_json
from core.runs import file_hashes, machine
from core.runs.record import now

FORMAT = 1
SEAL = "recording.json"
BUSY = 1.5  # processes a core
MAX_BYTES = 300_000  # bytes of a recording: it travels with every copy of the project


@dataclass(frozen=True)
class Recording:
    """A recording that is whole.

    Attributes:
        created: ISO time of the work that was recorded. version, machine: it was done with, as a run has them.
        command: that makes it anew.
        facts: what its room noted beside.
        load: processes that wanted a core, for each core, on a mean of the last minutes of the work: beyond 1 it had to
            share.
    """

    folder: Path
    created: str
    version: str
    machine: Mapping[str, Any]
    command: str
    facts: Mapping[str, Any]
    load: float

    @property
    def busy(self) -> bool:
        """Whether its times are longer than on a machine with nothing else to do."""
        return self.load > BUSY


def emptied(folder: Path) -> Path:
    """The folder for a recording, without an earlier one."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def seal(folder: Path, command: str, bound: Sequence[Path], facts: Mapping[str, Any], created: str = "") -> Recording:
    """Writes down what a folder holds and what it is bound to, which makes it a recording.

    Args:
        bound: files below ``core.paths.ASSETS`` that the recording tells of.
        created: of the work; now by default.

    Raises:
        ValueError: it is larger than ``MAX_BYTES``, or bound to a file that is not shipped.
    """
    files = {name: file_hashes.of_file(folder / name) for name in _files(folder)}
    size = sum((folder / name).stat().st_size for name in files)
    if size > MAX_BYTES:
        raise ValueError(f"the recording in {folder} has {size} bytes, and may have {MAX_BYTES}")
    described = {"machine": machine.describe(), "version": machine.versions()["dissolve"]}
    write_json(
        folder / SEAL,
        {
            "format": FORMAT, "created": created or now(), **described, "command": command, "facts": dict(facts),
            "load": round(os.getloadavg()[1] / machine.cores(), 1),
            "files": files, "bound": {_below_assets(path): file_hashes.of_file(path) for path in bound},
        },
    )  # fmt: skip
    made = read(folder)
    assert made is not None
    return made


def read(folder: Path) -> Recording | None:
    """The recording in a folder; None where there is none, or one that is not whole or tells of other files."""
    try:
        data = json.loads((folder / SEAL).read_bytes())
        if data["format"] != FORMAT or set(data["files"]) != set(_files(folder)):
            return None
        named = {folder / name: kept for name, kept in data["files"].items()}
        named |= {paths.ASSETS / name: kept for name, kept in data["bound"].items()}
        if any(file_hashes.of_file(path) != kept for path, kept in named.items()):
            return None
        parts = (str(data["created"]), str(data["version"]), dict(data["machine"]), str(data["command"]))
        return Recording(folder, *parts, dict(data["facts"]), float(data["load"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def shipped(name: str) -> Recording | None:
    """The recording of that name that came with the project."""
    return read(paths.RECORDED / name)


def _files(folder: Path) -> list[str]:
    found = (path for path in folder.rglob("*") if path.is_file() and path != folder / SEAL)
    return sorted(path.relative_to(folder).as_posix() for path in found)


def _below_assets(path: Path) -> str:
    return path.resolve().relative_to(paths.ASSETS.resolve()).as_posix()
