"""Nodes on this machine: as many as asked for, sharing cores and GPUs, and gone with whoever began them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

pytest.importorskip("distributed", reason="the engine dask needs the package distributed")

from distributed import Client

from core.fleet.engines.cluster import Cluster
from core.fleet.engines.node import THREADS
from core.jobs import process
from core.jobs.spawn import ROOT
from tests.conftest import Started
from tests.core.fleet.test_make import wait_for

pytestmark = pytest.mark.timeout(1200)  # nodes take a while to come up on a machine that is busy

SCRIPT = """
import time
from distributed import Client
from core.fleet.engines.cluster import Cluster
at = Cluster(1)
Client(at.address).wait_for_workers(1, timeout=240)
print(at.nodes[0].pid, flush=True)
time.sleep(3600)
"""


@pytest.mark.parametrize(
    ("workers", "gpus", "nodes", "slots", "threads", "visible"),
    [
        (2, "", 2, "1", "4", [None, None]),
        (3, "13", 2, "2", "2", ["1", "3"]),
        (1, "0123", 1, "1", "8", ["0"]),
    ],
)
def test_a_node_for_each_run_or_each_gpu(
    monkeypatch: pytest.MonkeyPatch, no_worker_starts: Started, workers: int, gpus: str, nodes: int, slots: str,
    threads: str, visible: list[str | None],
) -> None:  # fmt: skip
    for variable in ("CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS"):
        monkeypatch.delenv(variable, raising=False)
    at = Cluster(workers, gpus, shared=8)
    try:
        assert at.address.startswith("tcp://127.0.0.1:")
        assert len(no_worker_starts) == nodes
        for command, environment, number in zip(no_worker_starts, no_worker_starts.environments, visible, strict=True):
            assert command[command.index("--nthreads") + 1] == slots
            assert environment[THREADS] == threads
            assert environment.get("CUDA_VISIBLE_DEVICES") == number
            assert ("GPU=1" in command) is bool(gpus)
    finally:
        at.close()


def test_nothing_listens_to_other_machines() -> None:
    at = Cluster(1)
    try:
        with Client(at.address, set_as_default=False) as client:
            client.wait_for_workers(1, timeout=240)
            listening = [
                one.laddr.ip for process in (psutil.Process(), psutil.Process(at.nodes[0].pid))
                for one in process.net_connections("inet") if one.status == psutil.CONN_LISTEN
            ]  # fmt: skip
    finally:
        at.close()
    assert len(listening) >= 2, "scheduler and node"
    assert set(listening) == {"127.0.0.1"}


def test_nodes_end_when_whoever_began_them_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", SCRIPT], cwd=ROOT, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout
        node = process.identity(int(owner.stdout.readline()))
        owner.kill()
    wait_for(lambda: process.find(node) is None)
