"""The work of a node of a dask cluster: a run comes as a parcel, is done by a worker process, and goes back as one.

Imports no torch: the node's own process takes up no model, so none can end it. Where the system can fork, the runs end
with the node. What a node keeps lies in dask's folder of that node, which dask removes.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tarfile
import tempfile
import threading
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from importlib import metadata
from itertools import takewhile
from pathlib import Path
from typing import Any

from distributed import Worker, WorkerPlugin, get_worker

from core.data import FETCHED, IMAGE_SETS
from core.errors import BadInput
from core.files import MB
from core.fleet.engines import parcel
from core.fleet.fork_server import ForkServer, possible
from core.runs import machine, record, supervisor
from core.runs.record import Run

POLL_SECONDS = 0.1  # between two looks at a run
THREADS = "DISSOLVE_NODE_THREADS"  # variable of the environment: of each run, where nodes share a machine
NOT_SENT = ("worker.lock", "control")
GPU = "GPU"  # name of dask's resource
Fault = tuple[str, str, dict[str, str | int | float]]


@dataclass(frozen=True)
class Task:
    """A run to be done.

    ``folder``: name of the run's. ``run``, ``weights``: parcels. ``file``: the weights' name in theirs. ``images``: a
    set's name, or the path below the node's images. ``versions``: those that the node must have.
    """

    folder: str
    run: bytes
    weights: bytes
    file: str
    images: str
    versions: Mapping[str, str]


@dataclass(frozen=True)
class Outcome:
    """A run that has ended, as a parcel, and the node's paths of its ``weights`` and ``images``; or why this node can
    do no run at all (``fault``)."""

    node: str
    run: bytes = b""
    weights: str = ""
    images: str = ""
    fault: Fault | None = None


class Images(WorkerPlugin):
    """Lays images down on every node, once, also on those that come later.

    A node that has no room for them says so when it gets a run.

    Args:
        name: as ``Task.images``, without what comes after the first slash.
        content: their parcel.
    """

    def __init__(self, name: str, content: bytes) -> None:
        self.name = f"dissolve-images-{name}"
        self._folder, self._content = name, content

    def setup(self, worker: Worker) -> None:
        place = _kept(worker) / "images"
        half = place / f".{self._folder}"
        try:
            parcel.unpack(self._content, half)
            half.rename(place / self._folder)
        except (OSError, tarfile.TarError):
            shutil.rmtree(half, ignore_errors=True)

    def teardown(self, worker: Worker) -> None:
        shutil.rmtree(_kept(worker) / "images" / self._folder, ignore_errors=True)


def versions() -> dict[str, str]:
    """What must be the same wherever a fleet's runs are done."""
    return machine.versions() | {"distributed": metadata.version("distributed")}


def facts() -> dict[str, Any]:
    """``versions`` of a node and ``gpu_memory`` of it."""
    return {"versions": versions(), "gpu_memory": gpu_memory()}


def gpu_memory() -> int:
    """Bytes of the first GPU that this process may use, as the driver says; 0 without one or where it does not."""
    return next(iter(gpus().values()), 0)


def gpus() -> dict[str, int]:
    """Bytes of each NVIDIA GPU that this process may use, by its name in ``CUDA_VISIBLE_DEVICES``: number, UUID
    or the UUID's beginning, or a MIG device; 0 where the driver does not say, as of every MIG device.

    As CUDA has it, a name that there is no GPU for hides those after it too.
    """
    command = ["nvidia-smi", "--query-gpu=index,uuid,memory.total", "--format=csv,noheader,nounits"]
    try:
        out = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout
    except (OSError, subprocess.SubprocessError):
        return {}
    lines = [[cell.strip() for cell in line.split(",")] for line in out.splitlines()]
    found = [line for line in lines if len(line) == 3]  # without a GPU it is a sentence
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    wanted = [index for index, _, _ in found] if visible is None else [name.strip() for name in visible.split(",")]
    sizes = {name: size for name in wanted if (size := _size(name, found)) is not None}
    return {name: sizes[name] for name in takewhile(sizes.__contains__, wanted)}


def _size(name: str, found: list[list[str]]) -> int | None:
    """Bytes of the one GPU that a name of ``CUDA_VISIBLE_DEVICES`` is for, 0 if not known; None if there is none."""
    if name.startswith("MIG-"):
        return 0 if found else None
    sizes = [
        int(size) * MB if size.isdecimal() else 0
        for index, uuid, size in found
        if name == index or (name.startswith("GPU-") and uuid.startswith(name))
    ]
    return sizes[0] if len(sizes) == 1 else None


def different(node: str, theirs: Mapping[str, str], ours: Mapping[str, str]) -> BadInput | None:
    """``fleet_node_versions``, where a node has other versions than this machine."""
    for package in (*ours, *theirs):
        here, there = ours.get(package, "-"), theirs.get(package, "-")
        if here != there:
            return BadInput(
                "fleet_node_versions",
                f"The node {node} has {package} {there} where this machine has {here}; install the same versions on "
                "all nodes.",
                node=node, package=package, there=there, here=here,
            )  # fmt: skip
    return None


def work(task: Task) -> Outcome:
    """Does a run on this node, in a process of its own, and waits until it has ended."""
    worker = get_worker()
    node = str(worker.address)
    fault = different(node, versions(), task.versions) or _missing(node, task, _kept(worker))
    if fault is not None:
        return Outcome(node, fault=(fault.code, fault.message, dict(fault.facts)))
    _kept(worker).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=_kept(worker)) as place:
        inputs, folder = Path(place, "inputs"), Path(place, task.folder)
        parcel.unpack(task.weights, inputs)
        parcel.unpack(task.run, folder)
        run = Run(folder)
        weights = str(inputs / task.file)
        images = task.images if task.images in IMAGE_SETS else str(_kept(worker) / "images" / task.images)
        run.update(spec=replace(run.spec, weights=weights, images=images).to_dict())
        with _at_work(run):
            _do(run, worker)
        without = (*NOT_SENT, *(["checkpoints"] if run.status == "done" else []))
        return Outcome(node, parcel.of_folder(folder, without), weights, images)


def stop(folders: Collection[str]) -> None:
    """Asks runs on this node to stop; each goes back as far as it came.

    Args:
        folders: names of the runs': a cluster may serve other fleets too.
    """
    for run in tuple(_runs):  # others end meanwhile
        if run.folder.name not in folders:
            continue
        with contextlib.suppress(BadInput, OSError):  # it has just ended
            supervisor.stop(run)


_runs: list[Run] = []
_servers: dict[int, ForkServer] = {}  # by the threads of their workers
_lock = threading.Lock()


@contextlib.contextmanager
def _at_work(run: Run) -> Iterator[None]:
    _runs.append(run)
    try:
        yield
    finally:
        _runs.remove(run)


def _kept(worker: Worker) -> Path:
    return Path(worker.local_directory) / "dissolve"


def _missing(node: str, task: Task, kept: Path) -> BadInput | None:
    """``fleet_node_images``, where the node has not got the images."""
    if task.images in FETCHED:
        from core.paths import data_folder

        there = any((data_folder() / place).exists() for place in IMAGE_SETS[task.images].places)
    else:
        there = task.images in IMAGE_SETS or (kept / "images" / task.images).exists()
    if there:
        return None
    name = task.images.rpartition("/")[2]
    return BadInput(
        "fleet_node_images",
        f"The node {node} has not got the images {name}; see that its disk has room ({socket.gethostname()}, "
        f"{kept}), and put an image set that is fetched from its authors there yourself.",
        node=node, images=name, host=socket.gethostname(), path=str(kept),
    )  # fmt: skip


def _do(run: Run, worker: Worker) -> None:
    threads = int(os.environ.get(THREADS) or max(1, machine.cores() // max(1, worker.state.nthreads)))

    def begin(run: Run) -> None:
        if not possible():
            supervisor.spawn(run, threads)
            return
        with _lock:
            _servers.setdefault(threads, ForkServer(threads, tied=True)).begin(run)

    if possible():
        with _lock:  # before the time begins in which a queued run's worker has to report
            _servers.setdefault(threads, ForkServer(threads, tied=True)).ready()
    if run.status in record.ENDED:
        supervisor.resume(run, begin)
    else:
        run.update(queued=record.now(), worker=None)
        begin(run)
    while run.status not in record.ENDED:
        time.sleep(POLL_SECONDS)
