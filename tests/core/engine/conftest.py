"""Whole runs on a stranger's file, which several files look at."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.core.whole_runs import SOON, Done, as_a_strangers, do


@pytest.fixture(scope="session")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The network of these runs as a stranger's file: PyTorch's format, names as DataParallel gives them."""
    return as_a_strangers(tmp_path_factory.mktemp("weights") / "theirs.pth.tar")


@pytest.fixture(scope="session")
def strange_scan(root: Path, stranger: Path) -> Done:
    """A scan of the stranger's file; not to be changed."""
    return do(root, victim=None, weights=str(stranger), map=False, scan_only=True)


@pytest.fixture(scope="session")
def strange(root: Path, stranger: Path, strange_scan: Done) -> Done:
    """A run with a map on the stranger's file, from start to end, that takes over the scan; not to be changed."""
    order = {"points": 100, "live": False, "settings": SOON}
    return do(root, victim=None, weights=str(stranger), scan_of=strange_scan.run.id, **order)
