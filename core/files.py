"""Atomic writing of files, and JSON in which NaN and infinity survive.

NaN and infinity survive: they are written as Python's ``json`` writes them (``NaN``, ``Infinity``), because a loss
that became NaN must not read as a loss that was never measured. Strict JSON, for other programs, is ``strict_json``.
"""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
import secrets
import shutil
from pathlib import Path
from typing import Any

from core.errors import BadInput

TEMPORARY = ".tmp-"  # part of the name of files that are still being written
NOT_WRITTEN = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)  # the disk is full or read-only
MB = 2**20
_TRIAL_BYTES = 4096  # of a trial file: with a quota used up, an empty file could still be written


def write_atomic(path: Path, content: bytes) -> None:
    """Write ``content`` so that a reader, or a crash, sees either the old file or the whole new one."""
    temporary = path.with_name(f".{path.name}{TEMPORARY}{secrets.token_hex(4)}")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def require_room(folder: Path, size: int = MB) -> None:
    """Makes ``folder`` and checks that files can be written there, before the work whose result goes there begins.

    Args:
        size: bytes that will be needed.

    Raises:
        BadInput: ``place_not_writable``.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        trial = folder / f".room{TEMPORARY}{secrets.token_hex(4)}"
        write_atomic(trial, bytes(_TRIAL_BYTES))
        trial.unlink()
        if shutil.disk_usage(folder).free < size:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError as error:
        needed = max(1, -(-size // MB))
        raise BadInput(
            "place_not_writable",
            f"The folder {folder} cannot take the {needed} MB that will be written ({error.strerror}); make room "
            "there, or choose another one.",
            path=str(folder), size=needed, reason=str(error.strerror),
        ) from None  # fmt: skip


def sweep(folder: Path) -> None:
    """Removes temporary files of killed writers; only for the one process that writes in ``folder``."""
    for leftover in folder.rglob(f".*{TEMPORARY}*"):
        with contextlib.suppress(OSError):
            leftover.unlink()


def _plain(value: Any) -> Any:
    """numpy and torch scalars and arrays as plain numbers and lists, paths as text."""
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    if hasattr(value, "tolist"):  # numpy and torch, without importing either
        return value.tolist()
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


def dump_json(data: Any, indent: int | None = None) -> str:
    """JSON in which NaN and infinity survive."""
    return _written(data, default=_plain, indent=indent)


def write_json(path: Path, data: Any) -> None:
    write_atomic(path, (dump_json(data, indent=1) + "\n").encode())


def strict_json(data: Any) -> str:
    """One line of JSON as the standard has it: NaN and infinity become null."""

    def strict(value: Any) -> Any:
        if isinstance(value, float) and not math.isfinite(value):
            return None
        if isinstance(value, dict):
            return {str(key): strict(item) for key, item in value.items()}
        return [strict(item) for item in value] if isinstance(value, (list, tuple)) else value

    return _written(strict(json.loads(dump_json(data))), allow_nan=False)


def _written(data: Any, **how: Any) -> str:
    """JSON that can be encoded in UTF-8: other bytes, as in a path in Shift_JIS, are written as escapes."""
    text = json.dumps(data, ensure_ascii=False, **how)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(data, ensure_ascii=True, **how)
    return text
