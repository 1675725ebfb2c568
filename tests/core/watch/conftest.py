"""What the tests of the watch share: a guard over the small victim, and an inbox."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torch import Tensor

from core import paths
from core.files import write_json
from core.runs.record import Run
from core.watch.detector import Watched
from core.watch.fitting import fit_profile
from core.watch.guard import Guard
from tests.core.tiny import Tiny

BUDGET = 300


@pytest.fixture(scope="session")
def watched(tiny: Tiny) -> Watched:
    return Watched(tiny.model)


@pytest.fixture(scope="session")
def clean(tiny: Tiny) -> tuple[Tensor, Tensor]:
    """A clean budget, uint8, and its classes."""
    return tiny.images.x_train[:BUDGET], tiny.images.y_train[:BUDGET]


@pytest.fixture(scope="session")
def guard(tiny: Tiny, watched: Watched, clean: tuple[Tensor, Tensor]) -> Guard:
    return Guard(tiny.model, fit_profile(watched, *clean, tiny.images.class_names))


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A purification that is done, in a home of its own. Its purified model is another network of the digits."""
    return finished(tmp_path, monkeypatch)


def finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("DISSOLVE_HOME", str(tmp_path / "home"))
    folder = tmp_path / "home" / "runs" / "one"
    folder.mkdir(parents=True)
    purified = folder / "model.safetensors"
    shutil.copy(paths.VICTIMS / "digits-blended.safetensors", purified)
    data = json.loads((paths.RECORDINGS / "digits-badnets" / "run.json").read_bytes())
    outputs = {purified.name: hashlib.sha256(purified.read_bytes()).hexdigest()}
    spec = data["spec"] | {"device": "cpu"}
    write_json(folder / "run.json", data | {"id": "one", "recording": False, "outputs": outputs, "spec": spec})
    return Run(folder)


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / "inbox"
    folder.mkdir()
    return folder


def put(folder: Path, name: str, image: Tensor) -> Path:
    """Writes an image, uint8 or float (3, h, w), as a PNG."""
    pixels = image if image.dtype.is_floating_point else image / 255
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray((pixels * 255).round().byte().permute(1, 2, 0).numpy().astype(np.uint8)).save(path)
    return path
