"""The table of a fleet: for pandas, for spreadsheets, for programs."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pandas as pd

from core.files import strict_json
from core.fleet.place import Standing
from core.fleet.rows import Row
from core.fleet.table import COLUMNS, csv, frame, told

ROWS = [
    Row(
        "モデル.pt", "/w", "digits", "=cmd()", "検品", 4, "strong", 3, "three", 90.0, 97.0, 5.0, risk=63.2,
        step="purify", step_seconds=90.0,
    ),
    Row("-1+2.pt", "/v", "digits", error="It is broken.", code="broken", step="mend"),
]  # fmt: skip


def test_whole_numbers_stay_whole_where_some_are_missing() -> None:
    table = frame(ROWS)
    assert tuple(table.columns) == COLUMNS
    assert table["target"].tolist() == [3, pd.NA]
    assert table["exposure"][0] == 4
    assert table["minutes"][0] == 1.5
    assert table["rank"].tolist() == [1, 2]
    assert table["next"].tolist() == ["purify", "mend"]


def test_a_spreadsheet_reads_the_csv_and_works_nothing_out() -> None:
    content = csv(ROWS)
    assert content.startswith(b"\xef\xbb\xbf")
    table = pd.read_csv(io.BytesIO(content), dtype=str, keep_default_na=False)
    assert table["file"].tolist() == ["モデル.pt", "-1+2.pt"]
    assert table["owner"].tolist() == ["'=cmd()", ""]
    assert table["target"].tolist() == ["3", ""]
    assert table["error"][1] == "It is broken."


def test_a_fleet_without_models_yet_is_an_empty_table() -> None:
    assert list(frame([]).columns) == list(COLUMNS)
    assert csv([]).count(b"\r\n") == 1


def test_the_object_for_programs_has_what_is_promised(tmp_path: Path) -> None:
    found = json.loads(strict_json(told(Standing(ROWS, 12.3, "local", 2), tmp_path)))
    assert (found["seconds"], found["engine"], found["workers"], found["out"]) == (12.3, "local", 2, str(tmp_path))
    one, other = found["models"]
    for name in ("file", "verdict", "target", "risk", "asr_before", "cure", "error"):
        assert name in one
    assert (one["target"], one["risk"], one["asr_before"], one["error"]) == (3, 63.2, 97.0, None)
    assert (other["error"], other["risk"], other["verdict"]) == ("It is broken.", None, None)
