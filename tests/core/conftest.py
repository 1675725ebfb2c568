"""What the engine's tests share."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import psutil
import pytest

from core import victims
from core.runs.spec import Spec

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
def sleeping() -> Tiny:
    """A victim whose backdoor works after further training only; not to be changed."""
    from tests.core.tiny import sleeping_victim

    return sleeping_victim()


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where whole runs are kept."""
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="session")
def whole(root: Path) -> Done:
    """One run with a map, from start to end; not to be changed."""
    from tests.core.whole_runs import SOON, do

    return do(root, settings=SOON)


@pytest.fixture
def free_memory(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Leaves the computer so many bytes of free memory, as far as it is asked."""

    def leave(free: float) -> None:
        monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=int(free)))

    return leave


@pytest.fixture
def free_disk(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Leaves the disk so many bytes of room, as far as it is asked."""

    def leave(free: int) -> None:
        monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=free))

    return leave


@pytest.fixture
def until() -> Callable[[Callable[[], object]], None]:
    """Waits for a condition; how long it takes is no matter, only that it comes."""

    def wait(condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < deadline, "this never came"
            time.sleep(0.01)

    return wait


@pytest.fixture
def spec(tmp_path: Path, shipped: Path, monkeypatch: pytest.MonkeyPatch) -> Spec:
    """A valid spec; runs are kept in ``tmp_path / "home"`` and nothing is shipped."""
    monkeypatch.setenv("DISSOLVE_HOME", str(tmp_path / "home"))
    card = victims.Card(
        name="signs-badnets", data="signs", attack="badnets", attack_settings={}, target=3, target_name="80",
        arch="small", classes=12, mean=(0, 0, 0), std=(1, 1, 1), seed=0, poison_rate=0.1, training={},
        train_images=1, ba=97.0, asr=99.0, sha256="",
    )  # fmt: skip
    (shipped / "victims" / "signs-badnets.json").write_text(json.dumps(asdict(card)))
    return Spec(victim="signs-badnets", images="signs")
