"""What the engine's tests share."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from core.models.classifier import Classifier
    from tests.core.tiny import Tiny
    from tests.core.whole_runs import Done


@pytest.fixture(scope="session")
def tiny() -> Tiny:
    """A small victim of BadNets; not to be changed."""
    from tests.core.tiny import tiny_victim

    return tiny_victim()


@pytest.fixture(scope="session")
def honest() -> Classifier:
    """The twin of the small victim that was never attacked; not to be changed."""
    from tests.core.tiny import honest_twin

    return honest_twin()


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where whole runs are kept."""
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="session")
def whole(root: Path) -> Done:
    """One run with a map, from start to end; not to be changed."""
    from tests.core.whole_runs import do

    return do(root)


@pytest.fixture
def until() -> Callable[[Callable[[], object]], None]:
    """Waits for a condition; how long it takes is no matter, only that it comes."""

    def wait(condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < deadline, "this never came"
            time.sleep(0.01)

    return wait
