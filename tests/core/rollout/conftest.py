"""What the tests of the roll-out share: a run that handed out a purified model, images with and without the sticker."""

from __future__ import annotations

from pathlib import Path

import pytest
from torch import Tensor

from core.data import load
from core.data.imageset import ImageSet, as_float
from core.runs.record import Run
from core.victims import card_of, trigger_of
from tests.core.watch.conftest import finished


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    return finished(tmp_path, monkeypatch)


@pytest.fixture(scope="session")
def digits() -> ImageSet:
    return load("digits")


@pytest.fixture(scope="session")
def stickered(digits: ImageSet) -> tuple[Tensor, list[int]]:
    """Images with the victim's sticker, float, none of its target class; and what they are."""
    card = card_of("digits-badnets")
    other = digits.y_test != card.target
    return trigger_of(card, digits.size)(as_float(digits.x_test[other][:60])), digits.y_test[other][:60].tolist()
