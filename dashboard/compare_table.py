"""A comparison as a pandas table, one row a run, and as CSV. pandas is imported when a table is made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dashboard.compare_data import Entry
from dashboard.explore_table import FORMULA

if TYPE_CHECKING:
    import pandas as pd


def runs_table(entries: Sequence[Entry]) -> pd.DataFrame:
    """Indexed by ``run``: method, seed, status, figures before and after in percent, cure, seconds, clean images.

    What a run has not measured is missing, and never a zero.
    """
    import pandas as pd

    rows = []
    for entry in entries:
        before, after, proof = entry.digest.before, entry.digest.after, entry.digest.proof
        result = entry.digest.finished.result if entry.digest.finished else {}
        rows.append(
            {
                "run": entry.run.id, "method": entry.defence, "seed": entry.seed, "status": entry.status,
                "attack_success_kind": before and before.asr_kind,
                "attack_success_before": before and before.asr, "attack_success_after": after and after.asr,
                "accuracy_before": before and before.ba, "accuracy_after": after and after.ba,
                "cure": proof and proof.cure, "dissolved_after": entry.dissolved, "seconds": entry.cost,
                "clean_images": result.get("clean_images"),
            }
        )  # fmt: skip
    table = pd.DataFrame(rows).set_index("run")
    return table.astype({"seed": "Int64", "clean_images": "Int64"})


def csv_of(entries: Sequence[Entry]) -> bytes:
    """For spreadsheets: UTF-8 with its mark, no cell that is a formula."""
    table = runs_table(entries).reset_index()
    words = ["run", "method"]
    table[words] = table[words].replace(FORMULA, r"'\g<0>", regex=True)
    text: str = table.to_csv(index=False, lineterminator="\r\n")
    return text.encode("utf-8-sig")
