"""A thousand damaged ONNX files: no crash, nothing executed, a sentence for each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]
COUNT = 1000


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the limit on memory is set the way of Linux")
def test_of_a_thousand_damaged_files_each_is_read_or_refused_in_a_sentence(tmp_path: Path) -> None:
    """In a process of its own, with little memory: a crash, or a file that asks for too much, ends it."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.core.models.onnx.mutations", str(tmp_path), str(COUNT)],
        cwd=ROOT, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-500:]
    report = json.loads(done.stdout)
    assert report["executed"] == []
    assert report["wrong"] == []
    fates = report["fates"]
    assert sum(fates.values()) == COUNT
    # the files are damaged enough, and yet not so much that only the first bytes were looked at
    assert fates["read"] >= COUNT / 20
    assert fates["onnx_broken"] >= COUNT / 10
    assert {"onnx_external", "onnx_domain", "onnx_subgraph", "onnx_operator", "weights_not_finite"} <= fates.keys()
