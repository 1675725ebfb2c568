"""Incomplete uploads that a killed process left behind, and their removal.

A process that writes in an upload's folder holds the lock of that folder, which ends with the process. So unlocked
incomplete files are leftovers, and locked ones are in use, however long that takes. Two processes that unpack the same
archive wait for each other by the same lock.
"""

from __future__ import annotations

import contextlib
import math
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from core import paths
from core.jobs import lock

LOCK = ".lock"
ROOM = "given"  # subfolder of an upload with the visitor's own file, apart from the program's files
GRACE_SECONDS = 60.0  # a folder that is younger may not have its lock yet


@contextlib.contextmanager
def held(folder: Path, wait: bool = True) -> Iterator[bool]:
    """Inside, nobody else holds ``folder``, neither another process nor another thread of this one.

    Args:
        folder: must be there.
        wait: until another holder lets go; otherwise False is yielded if there is one.

    Raises:
        OSError: the folder is not there, or nothing may be written in it.
    """
    with lock.held(folder / LOCK, math.inf if wait else 0.0) as mine:
        yield mine


def sweep() -> None:
    """Removes all incomplete uploads that no process works on."""
    for folder in _folders(paths.uploads_folder()):
        with contextlib.suppress(OSError):  # removed meanwhile, or not ours to write in
            if not folder.name.startswith("."):
                _sweep_upload(folder)
            elif time.time() - folder.stat().st_mtime > GRACE_SECONDS:
                with held(folder, wait=False) as mine:
                    if mine:
                        shutil.rmtree(folder, ignore_errors=True)


def _sweep_upload(folder: Path) -> None:
    """Removes what was half unpacked in an upload's folder, and an archive whose images are all unpacked."""
    rooms = [folder, folder / ROOM]
    if not any(_halves(room) for room in rooms):
        return
    with held(folder, wait=False) as mine:
        for half in [half for room in rooms for half in _halves(room)] if mine else []:
            if half.is_dir():
                shutil.rmtree(half, ignore_errors=True)
            else:
                half.unlink(missing_ok=True)


def _halves(room: Path) -> list[Path]:
    """Folders that are still hidden, and archives that an unpacked folder stands beside."""
    done = [file for file in room.glob("*.zip") if file.with_suffix("").is_dir()]
    return done + [folder for folder in _folders(room) if folder.name.startswith(".")]


def _folders(place: Path) -> list[Path]:
    try:
        return [entry for entry in place.iterdir() if entry.is_dir() and not entry.is_symlink()]
    except OSError:  # not there yet, or gone
        return []
