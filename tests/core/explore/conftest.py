"""A real run to explore: the shipped recording of the digits, whose images anybody has."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from core import paths
from core.files import write_json
from core.runs.record import Run
from core.suspicion import judging


@pytest.fixture(autouse=True)
def few_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The points with a trigger are judged in two parts, not in forty: what is tested here does not depend on it."""
    monkeypatch.setattr(judging, "MAX_PARTS", 2)


@pytest.fixture
def recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The recording itself, with an empty cache."""
    monkeypatch.setenv("DISSOLVE_HOME", str(tmp_path / "home"))
    return Run(paths.RECORDINGS / "digits-badnets")


@pytest.fixture
def own_run(recording: Run, tmp_path: Path) -> Run:
    """A run of the visitor's: a few points and frames of the recording, with weights after it (those of the victim)."""
    folder = paths.runs_folder() / "mine"
    shutil.copytree(recording.folder, folder, ignore=shutil.ignore_patterns("maps", "frames"))
    run = Run(folder)
    write_json(folder / "run.json", run.data | {"recording": False, "status": "done", "id": "mine", "outputs": {}})
    shutil.copyfile(paths.VICTIMS / "digits-badnets.safetensors", folder / "model.safetensors")
    samples = recording.samples
    assert samples is not None
    marked = np.flatnonzero(samples.triggered)[:60]
    clean = np.union1d(samples.twin[marked], np.arange(60))
    chosen, twin = np.concatenate([clean, marked]), np.searchsorted(clean, samples.twin[marked])
    run.write_samples(
        samples.index[chosen], samples.label[chosen], samples.triggered[chosen], np.r_[np.full(len(clean), -1), twin]
    )
    for index, taken in enumerate((0, 10, recording.frame_count - 1)):
        run.write_frame(index, *(values[chosen] for values in recording.frame(taken)))
    return Run(folder)
