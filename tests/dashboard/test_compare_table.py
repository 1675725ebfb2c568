"""A comparison as rows: what was measured, what was not, and nothing that a spreadsheet would work out."""

from __future__ import annotations

import io
from collections.abc import Callable

import pandas as pd
import pytest

from core.runs.record import Run
from dashboard.compare_data import entries
from dashboard.compare_table import csv_of, runs_table
from tests.dashboard.conftest import story
from tests.dashboard.test_compare_data import order

Make = Callable[..., Run]


def test_one_row_a_run_with_what_it_measured(make_run: Make) -> None:
    runs = [
        make_run("20260101-000000-a", "done", spec=order("mcl", seed=3)),
        make_run("20260101-000001-b", "failed", story(whole=False), spec=order("ft", seed=4)),
    ]
    table = runs_table(entries(runs))
    assert list(table.index) == [run.id for run in runs]
    assert table["method"].tolist() == ["mcl", "ft"]
    assert table["seed"].tolist() == [3, 4]
    assert table["attack_success_after"].iloc[0] == 1.3
    assert table["dissolved_after"].iloc[0] == 91.0
    assert pd.isna(table["attack_success_after"].iloc[1])
    assert pd.isna(table["clean_images"].iloc[1])
    assert table["attack_success_before"].tolist() == [98.9, 98.9]


def test_a_spreadsheet_reads_it_and_works_nothing_out(make_run: Make) -> None:
    run = make_run("20260101-000000-a", "done", spec=order("ft") | {"defence": "=1+1"})
    content = csv_of(entries([run]))
    assert content.startswith(b"\xef\xbb\xbf")
    read = pd.read_csv(io.BytesIO(content))
    assert read["method"].tolist() == ["'=1+1"]
    assert read["accuracy_after"].iloc[0] == pytest.approx(96.9)
