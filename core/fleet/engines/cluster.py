"""A dask cluster on this machine alone, for a fleet that was given no address: as many nodes as asked for.

The scheduler is in this process. It and the nodes listen on localhost alone, their HTTP servers too. Each node is a
process of its own, which ends when the scheduler does, so that nothing is left behind after a ``kill -9``.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from distributed import LocalCluster

from core.fleet.engines.node import GPU, THREADS
from core.jobs.spawn import ROOT
from core.runs.machine import cores

HOST = "127.0.0.1"
START_SECONDS = 180  # seconds that a node waits for the scheduler
END_SECONDS = 5.0  # seconds for a node to end by itself


class Cluster:
    """Starts the nodes; they report to the scheduler some seconds later.

    Args:
        workers: runs that are worked on at once, by all nodes together.
        gpus: of this machine, by their names (``node.gpus``); there is a node for each, or one for each run where there
            is none.
        shared: cores that the runs share; all that this process may use by default.

    Attributes:
        address: of the scheduler.
        nodes: their processes.
    """

    def __init__(self, workers: int, gpus: Sequence[str] = (), shared: int | None = None) -> None:
        count = min(workers, len(gpus)) or workers
        self._scheduler = LocalCluster(
            n_workers=0, processes=True, host=HOST, scheduler_port=0, dashboard_address=f"{HOST}:0",
            silence_logs=logging.CRITICAL,
        )  # fmt: skip
        self.address = str(self._scheduler.scheduler_address)
        self._folder = Path(tempfile.mkdtemp(prefix="dissolve-nodes-"))
        threads = os.environ.get("OMP_NUM_THREADS", "")
        shared = shared or cores()
        limit = int(threads) if threads.isdecimal() and int(threads) else shared
        share = str(max(1, min(limit, shared // workers)))
        self.nodes = [
            self._node(number, -(-workers // count), share, gpus[number] if gpus else None) for number in range(count)
        ]

    def _node(self, number: int, slots: int, threads: str, gpu: str | None) -> subprocess.Popen[bytes]:
        command = [
            sys.executable, "-m", "distributed.cli.dask_worker", self.address, "--no-nanny", "--host", HOST,
            "--no-dashboard", "--dashboard-address", f"{HOST}:0",  # there is an HTTP server even without a dashboard
            "--name", f"node-{number}", "--nthreads", str(slots), "--memory-limit", "0",
            "--local-directory", str(self._folder), "--death-timeout", str(START_SECONDS),
            *(["--resources", f"{GPU}=1"] if gpu is not None else []),
        ]  # fmt: skip
        environment = os.environ | {THREADS: threads} | ({} if gpu is None else {"CUDA_VISIBLE_DEVICES": gpu})
        with (self._folder / f"node-{number}.log").open("wb") as log:
            return subprocess.Popen(
                command, cwd=ROOT, start_new_session=True, env=environment, stdin=subprocess.DEVNULL, stdout=log,
                stderr=subprocess.STDOUT,
            )  # fmt: skip

    @property
    def alive(self) -> bool:
        """Whether there is a node that is still going."""
        return any(node.poll() is None for node in self.nodes)

    def close(self) -> None:
        """Ends the nodes and the scheduler, and removes what they kept."""
        for node in self.nodes:
            node.terminate()
        for node in self.nodes:
            try:
                node.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                node.kill()
                node.wait()
        with contextlib.suppress(Exception):  # nothing that dask says now changes anything
            self._scheduler.close(timeout=END_SECONDS)
        shutil.rmtree(self._folder, ignore_errors=True)
