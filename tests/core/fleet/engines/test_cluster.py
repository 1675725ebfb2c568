"""Nodes on this machine: as many as asked for, sharing cores and GPUs, and gone with whoever began them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("distributed", reason="the engine dask needs the package distributed")

from core.fleet.engines import cluster
from core.fleet.engines.cluster import Cluster
from core.fleet.engines.node import THREADS
from core.jobs import process
from core.jobs.spawn import ROOT
from tests.core.fleet.test_make import wait_for

SCRIPT = """
import time
from distributed import Client
from core.fleet.engines.cluster import Cluster
at = Cluster(1)
Client(at.address).wait_for_workers(1, timeout=60)
print(at.nodes[0].pid, flush=True)
time.sleep(600)
"""


class Popen:
    """A process that is only noted."""

    def __init__(self, command: list[str], **how: Any) -> None:
        self.command, self.environment = command, how["env"]

    def poll(self) -> None: ...
    def terminate(self) -> None: ...
    def wait(self, seconds: float = 0) -> None: ...


@pytest.mark.parametrize(
    ("workers", "gpus", "nodes", "slots", "threads", "visible"),
    [
        (2, 0, 2, "1", "4", [None, None]),
        (3, 2, 2, "2", "2", ["0", "1"]),
        (1, 4, 1, "1", "8", ["0"]),
    ],
)
def test_a_node_for_each_run_or_each_gpu(
    monkeypatch: pytest.MonkeyPatch, workers: int, gpus: int, nodes: int, slots: str, threads: str,
    visible: list[str | None],
) -> None:  # fmt: skip
    for variable in ("CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(cluster, "cores", lambda: 8)
    monkeypatch.setattr(cluster.subprocess, "Popen", Popen)
    at = Cluster(workers, gpus)
    begun: list[Any] = list(at.nodes)
    at.close()
    assert at.address.startswith("tcp://127.0.0.1:")
    assert len(begun) == nodes
    for one, number in zip(begun, visible, strict=True):
        assert one.command[one.command.index("--nthreads") + 1] == slots
        assert one.environment[THREADS] == threads
        assert one.environment.get("CUDA_VISIBLE_DEVICES") == number
        assert ("GPU=1" in one.command) is bool(gpus)


def test_nodes_end_when_whoever_began_them_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", SCRIPT], cwd=ROOT, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout
        node = process.identity(int(owner.stdout.readline()))
        owner.kill()
    wait_for(lambda: process.find(node) is None)
