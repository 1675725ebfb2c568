"""Parcels: files and folders as bytes, for the way to a node and back. Uncompressed tar, since weights do not shrink.

What comes out of a parcel are plain files and folders below the place that it is opened at, and nothing else.
"""

from __future__ import annotations

import io
import json
import os
import secrets
import shutil
import tarfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from core.files import write_atomic

RECORD = "run.json"  # of a run, put in place last: it tells how far the other files are
TEXTS = (".json", ".jsonl")  # files of a run that may name the places of its inputs


def of_files(files: Sequence[Path], base: Path) -> bytes:
    """Files by their paths below ``base``.

    Raises:
        OSError: one cannot be read.
    """
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.PAX_FORMAT, dereference=True) as tar:
        for file in files:
            entry = tar.gettarinfo(file, str(file.relative_to(base)))
            entry.uid, entry.gid, entry.uname, entry.gname = 0, 0, "", ""
            with file.open("rb") as data:
                tar.addfile(entry, data)
    return content.getvalue()


def of_folder(folder: Path, without: Collection[str] = ()) -> bytes:
    """A folder's files; those and folders directly in it that are named ``without`` are left out.

    Raises:
        OSError: one cannot be read.
    """
    files = [
        file for file in sorted(folder.rglob("*"))
        if file.is_file() and file.relative_to(folder).parts[0] not in without
    ]  # fmt: skip
    return of_files(files, folder)


def unpack(content: bytes, folder: Path) -> None:
    """Unpacks a parcel in a folder, which is made if need be.

    Raises:
        OSError: it cannot be written.
        tarfile.TarError: it is no parcel, or wants to leave the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        plain = [entry for entry in tar.getmembers() if entry.isfile() or entry.isdir()]
        tar.extractall(folder, members=plain, filter="data")


def bring_home(content: bytes, folder: Path, places: Mapping[str, str]) -> None:
    """Puts a run that comes back from a node in its folder, file by file, the record last.

    Args:
        content: parcel of the run's folder.
        folder: of the run; what the parcel does not have is left there.
        places: paths on the node, as the run names them, and what they are here.

    Raises:
        OSError: it cannot be written.
        tarfile.TarError: as ``unpack``.
    """
    half = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}")
    try:
        unpack(content, half)
        for file in half.iterdir():
            if file.is_file() and file.suffix in TEXTS:
                file.write_bytes(_renamed(file.read_bytes(), places))
        for entry in sorted(half.iterdir(), key=lambda entry: entry.name == RECORD):
            target = folder / entry.name
            if entry.name == RECORD:
                write_atomic(target, entry.read_bytes())
                continue
            if target.is_dir():
                shutil.rmtree(target)
            os.replace(entry, target)
    finally:
        shutil.rmtree(half, ignore_errors=True)


def _renamed(text: bytes, places: Mapping[str, str]) -> bytes:
    for there, here in places.items():
        for as_ascii in (False, True):
            old, new = (json.dumps(path, ensure_ascii=as_ascii)[1:-1] for path in (there, here))
            text = text.replace(os.fsencode(old), os.fsencode(new))
    return text
