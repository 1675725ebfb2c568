"""Where a report is saved, as page or as PDF."""

from __future__ import annotations

from pathlib import Path

from core.errors import BadInput
from core.files import write_atomic


def save(path: Path, content: bytes) -> Path:
    """Write a report, which appears whole or not at all; its folder is made if it is not there. Returns ``path``.

    Raises:
        BadInput: ``report_not_written``.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, content)
    except OSError as error:
        raise BadInput(
            "report_not_written",
            f"The report {path} cannot be written ({error.strerror}); choose another folder with --out.",
            path=str(path),
            reason=str(error.strerror),
        ) from None
    return path
