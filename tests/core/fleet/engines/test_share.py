"""What share of a GPU a model takes, told by a process of its own."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil

from core import paths
from core.fleet.engines.share import Shares
from core.runs.spec import Spec

GB = 2**30


def test_small_models_share_a_gpu_that_holds_two_and_what_cannot_be_read_gets_one_alone(tmp_path: Path) -> None:
    victim = Spec(weights=str(paths.VICTIMS / "digits-badnets.safetensors"), images="digits")
    (tmp_path / "broken.pt").write_bytes(b"no weights")
    large, small = Shares(80 * GB), Shares(GB // 4)
    try:
        assert (large.of(victim), small.of(victim)) == (0.5, 1.0)
        assert large.of(Spec(weights=str(tmp_path / "broken.pt"), images="digits")) == 1.0
        (process,) = [
            child for child in psutil.Process().children() if str(80 * GB) in child.cmdline()
        ]  # fmt: skip
        os.kill(process.pid, signal.SIGKILL)
        assert large.of(victim) in (0.5, 1.0), "the process is begun anew, at the latest for the next model"
        assert large.of(victim) == 0.5
    finally:
        large.close()
        small.close()
