"""What share of a GPU a model takes, told by a process of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from core import paths
from core.fleet.engines.share import Shares, share
from core.runs.spec import Spec

GB = 2**30


@pytest.fixture
def victim() -> Spec:
    return Spec(weights=str(paths.VICTIMS / "digits-badnets.safetensors"), images="digits", device="cpu")


def test_a_small_model_needs_half_of_a_large_gpu_and_a_small_one_for_itself(victim: Spec) -> None:
    assert (share(victim, 80 * GB), share(victim, GB // 4)) == (0.5, 1.0)


def test_a_model_that_cannot_be_read_gets_one_alone_and_holds_up_nobody(victim: Spec, tmp_path: Path) -> None:
    (tmp_path / "broken.pt").write_bytes(b"no weights")
    at = Shares(80 * GB)
    try:
        told = [at.of(Spec(weights=str(tmp_path / "broken.pt"), images="digits")), at.of(victim)]
    finally:
        at.close()
    assert told == [1.0, 0.5]


def test_a_model_that_takes_too_long_gets_one_alone(victim: Spec) -> None:
    at = Shares(80 * GB, patience=0.0)
    assert at.of(victim) == 1.0, "the process has not even begun"
    at.close()
