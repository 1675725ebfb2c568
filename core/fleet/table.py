"""A fleet as a pandas table, as CSV for spreadsheets, and as the one object for programs. pandas is imported late."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.files import write_atomic
from core.fleet.place import Standing
from core.fleet.rows import Row

if TYPE_CHECKING:
    import pandas as pd

FORMULA = r"^(?:[=+@\t\r]|-\D)"  # what a spreadsheet would work out, were it the name of a model or an owner
COLUMNS = (
    "rank", "file", "verdict", "target", "target_name", "ba", "asr_before", "risk", "owner", "use", "exposure", "next",
    "minutes", "cure", "ba_after", "asr_after", "error", "cure_error", "images", "sha256", "run", "cure_run",
)  # fmt: skip
WORDS = ("file", "target_name", "owner", "use", "error", "cure_error", "images")
WHOLE = ("target", "exposure")


def minutes(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds / 60, 1)


def frame(rows: Sequence[Row]) -> pd.DataFrame:
    """One row a model, in the order given, with ``COLUMNS``; what is not known is missing.

    ``ba``, ``asr_before``, ``ba_after``, ``asr_after``: percent. ``minutes``: of the next step, on the machine that
    measured.
    """
    import pandas as pd

    records = [
        {"rank": number, "next": row.step, "minutes": minutes(row.step_seconds)}
        | {name: getattr(row, name) for name in COLUMNS if name not in ("rank", "next", "minutes")}
        for number, row in enumerate(rows, 1)
    ]
    table = pd.DataFrame(records, columns=list(COLUMNS))
    return table.astype(dict.fromkeys(WHOLE, "Int64"))


def csv(rows: Sequence[Row]) -> bytes:
    """The table for spreadsheets: UTF-8 with its mark, no cell that is a formula."""
    table = frame(rows)
    words = list(WORDS)
    table[words] = table[words].astype(object).replace(FORMULA, r"'\g<0>", regex=True)
    text: str = table.to_csv(index=False, lineterminator="\r\n")
    return text.encode("utf-8-sig", errors="backslashreplace")


def write_csv(rows: Sequence[Row], path: Path) -> None:
    write_atomic(path, csv(rows))


def told(standing: Standing, folder: Path) -> dict[str, Any]:
    """The one object of ``--json``: ``models`` in rank order, ``seconds``, ``engine``, ``workers``, ``out``."""
    return {
        "models": [
            {
                "file": row.file, "verdict": row.verdict, "target": row.target, "target_name": row.target_name,
                "risk": row.risk, "ba": row.ba, "asr_before": row.asr_before, "cure": row.cure,
                "ba_after": row.ba_after, "asr_after": row.asr_after, "error": row.error,
                "cure_error": row.cure_error, "owner": row.owner, "use": row.use, "exposure": row.exposure,
                "next": row.step, "minutes": minutes(row.step_seconds), "caution": row.caution, "images": row.images,
                "sha256": row.sha256, "run": row.run, "cure_run": row.cure_run, "seconds": dict(row.seconds),
                "cure_seconds": dict(row.cure_seconds), "reused": row.reused,
            }
            for row in standing.models
        ],
        "seconds": standing.seconds,
        "engine": standing.engine,
        "workers": standing.workers,
        "out": str(folder),
    }  # fmt: skip
