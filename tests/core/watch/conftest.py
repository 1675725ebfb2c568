"""What the tests of the watch share: a guard over the small victim, and an inbox."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torch import Tensor

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
