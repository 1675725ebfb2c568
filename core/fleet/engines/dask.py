"""The engine "dask": a fleet's runs on the nodes of a dask cluster, the user's own or one started on this machine.

A run goes to a node as a parcel with its weights, and comes back as a folder that opens like any other. Images go to
each node once. What is here is the fleet's side; ``core.fleet.engines.node`` has the nodes'. A node that is lost takes
what it was at with it, and dask gives that to another one; what has come back is on disk here.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import tarfile
import time
import traceback
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.data import IMAGE_SETS
from core.errors import BadInput
from core.fleet.engines import Asked, EngineGone, parcel, usual_workers
from core.fleet.engines.sent import Sent
from core.fleet.engines.share import Shares
from core.runs import record, supervisor
from core.runs.record import Run
from core.shards import shards

if TYPE_CHECKING:
    from distributed import Client, Future

    from core.fleet.engines.cluster import Cluster
    from core.fleet.engines.node import Outcome

POLL_SECONDS = 0.1  # seconds that ``ended`` waits for a run
WATCH_SECONDS = 2.0  # between two looks at the nodes
ALIVE_SECONDS = 10.0  # between two notes that a run still waits or is worked on; less than ``record.GRACE``
CONNECT_SECONDS = 10
NODES_SECONDS = 60  # until the first node of a cluster has to report
PATIENCE_SECONDS = 30.0  # with a cluster of the user's that has no node: one may be on its way
STOP_SECONDS = 10.0  # seconds for the runs to stop by themselves
MISSING = (
    "The engine dask needs the package distributed, which is not installed; get it with: pip install --group cluster"
)


def begin(asked: Asked) -> Dask:
    """The engine; a cluster that has an address is looked up at once, one of our own started with the first run.

    Raises:
        BadInput: ``fleet_engine_missing``, ``fleet_engine_unreachable``, ``fleet_engine_empty`` or
            ``fleet_node_versions``.
    """
    try:
        import distributed  # noqa: F401
    except ImportError:
        raise BadInput("fleet_engine_missing", MISSING, engine="dask", package="distributed") from None
    at = Dask(asked)
    if asked.address:
        try:
            at.connect()
        except EngineGone as gone:
            at.close()
            raise gone.fault from None
    return at


class Dask:
    """Runs on the nodes of a cluster, each node with as many at once as it has threads in dask's count.

    Args:
        patience: seconds that a cluster of the user's may be without a node.
        clock: seconds that go on.

    Attributes:
        cluster: the nodes that were started here, if any.
    """

    name = "dask"

    def __init__(
        self, asked: Asked, patience: float = PATIENCE_SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what is wrong is told in our own sentences
        self._asked, self._patience, self._clock = asked, patience, clock
        self.workers = asked.workers or usual_workers()
        self.cluster: Cluster | None = None
        self._client: Client | None = None
        self._address = asked.address
        self._shares: Shares | None = None
        self._at_work: dict[str, tuple[Run, Future]] = {}
        self._elsewhere: list[Run] = []  # those that a worker process of this machine is at
        self._ended: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._unfit: dict[str, BadInput] = {}  # by address: nodes that can do no run
        self._sent: Sent | None = None
        self._number = 0
        self._next_look = self._next_note = self._last_node = clock()

    @property
    def going(self) -> list[Run]:
        return [*(run for run, _ in self._at_work.values()), *self._elsewhere]

    @property
    def full(self) -> bool:
        return len(self.going) >= self.workers

    def connect(self) -> None:
        """Finds the cluster, or starts one, and looks at its nodes.

        Raises:
            EngineGone: ``fleet_engine_unreachable``, ``fleet_engine_empty`` or ``fleet_node_versions``.
        """
        if self._client is not None:
            return
        from distributed import Client

        from core.fleet.engines import node

        gpus = 0
        if not self._address:
            from core.fleet.engines.cluster import Cluster

            gpus = 0 if self._asked.device == "cpu" else len(node.gpus())
            self.workers = self._asked.workers or 2 * gpus or usual_workers()
            self.cluster = Cluster(self.workers, gpus)
        try:
            self._client = Client(
                self.cluster.address if self.cluster else self._address, timeout=CONNECT_SECONDS, set_as_default=False
            )
        except Exception as error:  # dask's own, the system's, or one about the address
            raise EngineGone(self._unreachable(error)) from None
        self._sent = Sent(self._client)
        seconds = NODES_SECONDS if self.cluster else self._patience
        with contextlib.suppress(TimeoutError):
            self._client.wait_for_workers(1, timeout=seconds)
        self._look_at_nodes(self._client.run(node.facts, on_error="return"), node.versions())

    def start(self, run: Run) -> None:
        self.connect()
        if run.status in record.ENDED:
            supervisor.resume(run, self._submit)
        elif run.data.get("worker") is not None:
            self._elsewhere.append(run)
        else:
            run.update(queued=record.now())
            self._submit(run)

    def ended(self) -> list[Run]:
        over = [run for run in self._elsewhere if run.status in record.ENDED]
        self._elsewhere = [run for run in self._elsewhere if run not in over]
        with contextlib.suppress(queue.Empty):
            key = self._ended.get(timeout=POLL_SECONDS)
            while True:
                over += self._fetched(key)
                key = self._ended.get_nowait()
        if not over:
            self._watch()
        return over

    def stop(self) -> None:
        from core.fleet.engines import node

        if self._client is not None and self._at_work and self._client.status == "running":
            with contextlib.suppress(Exception):  # the cluster is gone: there is nothing to stop
                self._client.run(node.stop, on_error="ignore")
            deadline = self._clock() + STOP_SECONDS
            with contextlib.suppress(EngineGone):
                while self._at_work and self._nodes() and self._clock() < deadline:
                    self.ended()
        for run, _ in self._at_work.values():
            run.update(status="stopped", ended=record.now())
        self._at_work = {}
        for run in self._elsewhere:
            with contextlib.suppress(BadInput, OSError):
                supervisor.kill(run)
        self._elsewhere = []
        self.close()

    def close(self) -> None:
        if self._sent is not None:
            self._sent.forget_all()
        if self._client is not None:
            with contextlib.suppress(Exception):
                self._client.close(timeout=2)
            self._client = None
        if self._shares is not None:
            self._shares.close()
        if self.cluster is not None:
            self.cluster.close()
            self.cluster = None

    # the nodes

    def _look_at_nodes(self, told: Mapping[str, Any], ours: Mapping[str, str]) -> None:
        """Refuses a cluster without nodes, or with one that could come to other figures than this machine."""
        from core.fleet.engines import node

        if not told:
            raise EngineGone(self._empty())
        memory = []
        for name, facts in told.items():
            if isinstance(facts, BaseException):  # most likely it has no Dissolve to import
                facts = {"versions": {}, "gpu_memory": 0}
            fault = node.different(name, facts["versions"], ours)
            if fault is not None:
                raise EngineGone(fault)
            memory.append(facts["gpu_memory"])
        nodes = self._nodes()
        if any(node.GPU in found.get("resources", {}) for found in nodes.values()):
            self._shares = Shares(min((size for size in memory if size), default=0))
        if self.cluster is None:
            slots = sum(found["nthreads"] for found in nodes.values())
            self.workers = min(slots, self._asked.workers or slots)

    def _nodes(self) -> dict[str, Any]:
        """Dask's facts of the nodes that there are; empty also where the scheduler does not answer."""
        try:
            assert self._client is not None
            scheduler: Any = self._client.scheduler
            return dict(self._client.sync(scheduler.identity, callback_timeout=CONNECT_SECONDS)["workers"])
        except Exception:  # the connection is gone
            return {}

    def _watch(self) -> None:
        """Looks at the nodes every now and then, and notes that the runs are still worked on."""
        now = self._clock()
        if now >= self._next_note:
            self._next_note = now + ALIVE_SECONDS
            for run, _ in self._at_work.values():
                run.update(queued=record.now())
        if now < self._next_look or not self._at_work:
            return
        self._next_look = now + WATCH_SECONDS
        if self._nodes():
            self._last_node = self._clock()
        elif (self.cluster is not None and not self.cluster.alive) or now - self._last_node > self._patience:
            raise EngineGone(self._empty())

    # one run

    def _submit(self, run: Run) -> None:
        from core.fleet.engines import node

        assert self._client is not None
        assert self._sent is not None
        spec = run.spec
        images = str(spec.images)
        if images not in IMAGE_SETS:
            images = self._sent.name(images, {str(one.spec.images) for one in self.going})
        file = Path(str(spec.weights))
        try:
            weights = parcel.of_files([file, *shards(file)], file.parent)
            content = parcel.of_folder(run.folder, node.NOT_SENT)
        except (OSError, ValueError) as error:
            raise BadInput(
                "weights_not_found", f"The file {file} cannot be read ({error}); put it back.", path=str(file)
            ) from None
        task = node.Task(run.folder.name, content, weights, file.name, images, node.versions())
        needed = {node.GPU: self._shares.of(spec)} if self._shares else None
        fit = [name for name in self._nodes() if name not in self._unfit] if self._unfit else None
        if fit == []:
            raise EngineGone(next(iter(self._unfit.values())))
        self._number += 1
        key = f"dissolve-{run.folder.name}-{self._number}"
        with warnings.catch_warnings(action="ignore"):  # of dask, that weights are large
            future = self._client.submit(
                node.work, task, key=key, pure=False, resources=needed, workers=fit, allow_other_workers=False
            )
        self._at_work[key] = run, future
        future.add_done_callback(lambda done: self._ended.put(key))

    def _fetched(self, key: str) -> list[Run]:
        """The run of that key as it came back; none where it has to be done on another node."""
        if key not in self._at_work:
            return []
        run, future = self._at_work[key]
        if future.status in ("cancelled", "lost"):
            raise EngineGone(self._unreachable(None))
        try:
            outcome = future.result(timeout=CONNECT_SECONDS)
        except TimeoutError:  # its node was lost with it: dask has it done again
            future.add_done_callback(lambda done: self._ended.put(key))
            return []
        except Exception:  # dask gave it up, because several nodes were lost with it, or the node's side failed
            return [self._given_up(key)]
        try:
            if outcome.fault is None:
                self._bring_home(run, outcome)
                del self._at_work[key]
                return [run]
            code, message, facts = outcome.fault
            self._unfit[outcome.node] = BadInput(code, message, **facts)
            self._submit(run)
        except (BadInput, tarfile.TarError):
            return [self._given_up(key)]
        del self._at_work[key]
        return []

    def _bring_home(self, run: Run, outcome: Outcome) -> None:
        spec = run.spec
        places = {outcome.weights: str(spec.weights), outcome.images: str(spec.images)}
        try:
            parcel.bring_home(outcome.run, run.folder, {there: here for there, here in places.items() if there != here})
        except OSError:
            raise EngineGone(
                BadInput(
                    "disk_full",
                    f"The disk that holds {run.folder} is full; make room and resume the run.",
                    path=str(run.folder),
                )
            ) from None

    def _given_up(self, key: str) -> Run:
        """In an ``except``: the run of that key, which reads as stopped, with the reason in its log."""
        run, _ = self._at_work.pop(key)
        with contextlib.suppress(OSError), (run.folder / "worker.log").open("a") as log:
            traceback.print_exc(file=log)
        run.update(status="stopped", ended=record.now())
        return run

    # sentences

    def _unreachable(self, error: Exception | None) -> BadInput:
        address = self._address or "localhost"
        reason = f" ({type(error).__name__})" if error else " any more"
        return BadInput(
            "fleet_engine_unreachable",
            f"The cluster at {address} does not answer{reason}; see that its scheduler is up and the address is right, "
            "then give the same command again: what is done is kept.",
            address=address,
        )

    def _empty(self) -> BadInput:
        address = self._address or "localhost"
        return BadInput(
            "fleet_engine_empty",
            f"The cluster at {address} has no nodes left; start some, then give the same command again: what is done "
            "is kept.",
            address=address,
        )
