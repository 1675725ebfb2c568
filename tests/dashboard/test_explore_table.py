"""The points of Explore as a table and as CSV, read back."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.explore.settled import Settled
from dashboard.components.explore_payload import Layout, Score
from dashboard.explore_table import csv_of, points_table
from tests.dashboard.components.test_explore import N, payload

ROOT = Path(__file__).resolve().parents[2]
SETTLED = Settled(3, n_neighbors=40)


def rows(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def full(**more: Any) -> Any:
    coords = np.arange(2 * N * 3, dtype=np.float32).reshape(2, N, 3) / 3
    layouts = [Layout("pca", 2, np.ones((1, N, 2), np.float32)), Layout("settled", 3, coords, SETTLED)]
    scores = [Score("ac", "before", np.linspace(0, 1, N), 97.0, 95.0, 10.0)]
    return payload(layouts=layouts, scores=scores, **more)


def test_a_row_says_what_an_image_is_and_what_is_known_of_it() -> None:
    table = points_table(full(), "umap-2")
    last = table.loc[4]
    assert (last["test_image"], last["class_name"], last["triggered"], last["twin"]) == (104, "b", 1, 1)
    assert table["twin"].isna().tolist() == [True, True, True, True, False]
    assert (last["answer_name_before"], last["confidence_after"], last["activation_clustering_before"]) == ("b", 90, 1)
    assert table["umap-2_before_x"].tolist() == [0] * N
    assert table["umap-2_after_y"].tolist() == [2] * N


def test_the_places_are_those_of_the_map_that_is_shown() -> None:
    table = points_table(full(), SETTLED.id)
    assert table["settled_after_z"].tolist() == pytest.approx([(15 + 3 * k + 2) / 3 for k in range(N)], abs=1e-5)
    assert "umap-2_before_x" not in table
    one = points_table(full(), "pca-2")
    assert [name for name in map(str, one) if name.startswith("pca")] == ["pca-2_before_x", "pca-2_before_y"]
    assert list(points_table(full(), "tsne-2")) == [name for name in map(str, one) if not name.startswith("pca")]


def test_the_selection_or_all_points_with_the_selection_marked() -> None:
    some = rows(csv_of(full(), "umap-2", [3, 1, 99], whole=False))
    assert [row["point"] for row in some] == ["1", "3"]
    everything = rows(csv_of(full(), "umap-2", [3, 1], whole=True))
    assert [row["selected"] for row in everything] == ["0", "1", "0", "1", "0"]
    assert [row["twin"] for row in everything] == ["", "", "", "", "1"]
    assert csv_of(full(), "umap-2", [], whole=False).count(b"\r\n") == 1  # its header


def test_no_class_name_is_worked_out_by_a_spreadsheet() -> None:
    names = ["=1+1", '@"quoted", and more', "-5"]
    found = rows(csv_of(full(class_names=names), "umap-2", [], whole=True))
    assert [row["class_name"] for row in found[:3]] == ["'=1+1", '\'@"quoted", and more', "-5"]
    assert found[0]["answer_name_after"] == "'=1+1"


def test_pandas_is_not_loaded_before_a_table_is_asked_for() -> None:
    script = "import sys, dashboard.explore_data, dashboard.explore_table; print('pandas' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "False", done.stderr
