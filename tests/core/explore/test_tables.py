"""The tables of a run against its record, read another way; and that nobody pays for pandas who does not ask."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import core
from core import paths
from core.errors import BadInput
from core.explore import place
from core.explore.settled import Settled
from core.explore.tables import Tables
from core.runs.moving import DrawnMap
from core.runs.record import Run
from core.suspicion import NAMES

ROOT = Path(__file__).resolve().parents[3]
FOLDER = paths.RECORDINGS / "digits-badnets"
LINES = [json.loads(line) for line in (FOLDER / "events.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tables:
    monkeypatch.setenv("DISSOLVE_HOME", str(tmp_path))
    return core.load("digits-badnets")


def lines(kind: str) -> list[dict[str, object]]:
    return [line for line in LINES if line["type"] == kind]


def test_importing_the_engine_does_not_load_pandas() -> None:
    script = "import sys, core, core.cli.parser; print('pandas' in sys.modules); core.load('digits-badnets'); "
    script += "print('pandas' in sys.modules, 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.stdout.split(), done.stderr) == (["False", "True", "False"], "")


def test_events_steps_and_figures_are_those_of_the_record(tables: Tables) -> None:
    assert tables.events["type"].tolist() == [line["type"] for line in LINES]
    assert tables.steps["step"].tolist() == [line["step"] for line in lines("step")]
    losses = lines("step")[-1]["losses"]
    assert isinstance(losses, dict)
    assert len(losses) > 1
    assert tables.steps[list(losses)].iloc[-1].to_dict() == pytest.approx(losses)
    assert tables.steps["t"].is_monotonic_increasing
    assert tables.figures.index.tolist() == ["before", "after"]
    assert tables.figures["asr"].tolist() == [line["asr"] for line in lines("measured")]
    assert tables.frames["dissolution"].tolist() == [line["dissolution"] for line in lines("frame")]


def test_every_image_has_a_place_and_an_answer_in_every_frame(tables: Tables) -> None:
    run = Run(FOLDER)
    samples, last = run.samples, run.frame_count - 1
    assert samples is not None
    n = len(samples.label)
    assert tables.samples["test_image"].tolist() == samples.index.tolist()
    twin = tables.samples["twin"]
    assert twin.isna().tolist() == (samples.twin < 0).tolist()
    assert (tables.samples.loc[twin.dropna(), "test_image"].to_numpy() == samples.index[samples.triggered]).all()
    assert len(tables.points) == n * run.frame_count
    found = tables.points.loc[last]
    np.testing.assert_array_equal(found[["x", "y"]], run.frame(last).coords)
    names = run.data["classes"]
    assert found["answer_name"].tolist() == [names[answer] for answer in run.frame(last).answers]
    assert set(found["step"]) == {lines("frame")[-1]["step"]}
    # what a notebook would ask: the attack success on the map, frame by frame
    hit = tables.points[tables.points["triggered"] & (tables.points["class"] != run.data["target"])]
    asr = 100 * (hit["answer"] == run.data["target"]).groupby(level="frame").mean()
    np.testing.assert_allclose(asr, tables.frames["asr"], atol=0.1)


def test_what_explore_computed_comes_along(tables: Tables) -> None:
    assert tables.explored is None
    assert tables.settled() is None
    run = tables.run
    n = len(tables.samples)
    made = place.DrawnMap(np.arange(6 * n, dtype=np.float32).reshape(2, n, 3), np.ones(2, np.float32))
    place.write(run, place.settled_name(Settled(3, metric="cosine").key), made)
    found = tables.settled("dims=3,metric=cosine")
    assert found is not None
    np.testing.assert_array_equal(found.loc["after", ["x", "y", "z"]], made.coords[1])
    with pytest.raises(BadInput, match="dims=7"):
        tables.settled("dims=7")
    scores = [0.25 * number for number in range(len(NAMES))]
    place.write(
        run,
        "base",
        place.Base(
            features=np.zeros((1, n, 2), np.float16), near=np.zeros((1, n, 12), np.int32),
            scores=np.stack([np.full((1, n), one) for one in scores]).astype(np.float16),
            judged=np.zeros((len(scores), 1, 3), np.float32), thumbs=np.zeros(0, np.uint8),
            source=np.array(place.source_of(run)),
        ),
    )  # fmt: skip
    explored = core.load(run.folder).explored
    assert explored is not None
    assert list(explored) == list(NAMES.values())
    np.testing.assert_array_equal(explored.loc[["before"]], np.tile(scores, (n, 1)))


def test_another_map_has_a_place_for_every_frame_and_point(tmp_path: Path) -> None:
    tables = core.load(shutil.copytree(FOLDER, tmp_path / "copy", ignore=shutil.ignore_patterns("maps")))
    assert tables.map("umap", 3) is None
    run, n = tables.run, len(tables.samples)
    coords = np.arange(run.frame_count * n * 3, dtype=np.float32).reshape(run.frame_count, n, 3)
    run.write_moving_map("umap", 3, DrawnMap(coords, np.ones(run.frame_count, np.float32)))
    found = tables.map("umap", 3)
    assert found is not None
    assert len(found) == n * run.frame_count
    np.testing.assert_allclose(found.loc[1, ["x", "y", "z"]], coords[1], atol=1e-3 * np.ptp(coords))
    assert found.index.names == ["frame", "point"]


def test_a_run_without_map_has_its_events_alone(tmp_path: Path) -> None:
    folder = tmp_path / "bare"
    folder.mkdir()
    (folder / "run.json").write_text((FOLDER / "run.json").read_text(encoding="utf-8"))
    bare = core.load(folder)
    assert bare.events.empty
    assert bare.steps.empty
    assert bare.frames.empty
    with pytest.raises(BadInput) as fault:
        bare.samples  # noqa: B018
    assert fault.value.code == "no_frames"


def test_a_run_that_is_not_there_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISSOLVE_HOME", str(tmp_path))
    for name in ("nothing", "last"):
        with pytest.raises(BadInput) as fault:
            core.load(name)
        assert fault.value.code == "run_not_found"


def test_two_classes_of_one_name_stay_two(own_run: Run) -> None:
    own_run.update(classes=["same"] * 3)
    tables = core.load(own_run.id)
    assert tables.samples["class_name"].nunique() == tables.samples["class"].nunique()
    assert isinstance(tables.samples["class_name"].dtype, pd.CategoricalDtype)
