"""The engine "dask": a fleet's runs on the nodes of a dask cluster, the user's own or one started on this machine.

A run goes to a node as a parcel with its weights, and comes back as a folder that opens like any other. Images go to
each node once. What is here and in ``core.fleet.engines.nodes`` is the fleet's side; ``core.fleet.engines.node`` has
the nodes'. A node that is lost takes
what it was at with it, and dask gives that to another one; what has come back is on disk here.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import queue
import tarfile
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from core.data import IMAGE_SETS
from core.errors import BadInput
from core.fleet.engines import Asked, EngineGone, parcel, usual_workers
from core.fleet.engines.nodes import CONNECT_SECONDS, Nodes
from core.fleet.engines.sent import Sent
from core.fleet.engines.share import Shares
from core.runs import record, supervisor
from core.runs.record import Run
from core.shards import shards

if TYPE_CHECKING:
    from distributed import Client, Future

    from core.fleet.engines.node import Outcome

POLL_SECONDS = 0.1  # seconds that ``ended`` waits for a run
ALIVE_SECONDS = 10.0  # between two notes that a run still waits or is worked on; less than ``record.GRACE``
FETCH_SECONDS = 10  # for the result of a run that has ended
PATIENCE_SECONDS = 30.0  # with a cluster of the user's that has no node: one may be on its way
STOP_SECONDS = 10.0  # seconds for the runs to stop by themselves


def begin(asked: Asked) -> Dask:
    """The engine; a cluster that has an address is looked up at once, one of our own started with the first run.

    Raises:
        BadInput: ``fleet_engine_unreachable``, ``fleet_engine_empty`` or ``fleet_node_versions``.
    """
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
        connect: seconds that the scheduler may take to answer.

    Attributes:
        workers: those asked for, or what the cluster has room for, which is known once it is connected.
    """

    name = "dask"

    def __init__(
        self,
        asked: Asked,
        patience: float = PATIENCE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
        connect: float = CONNECT_SECONDS,
    ) -> None:
        logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what is wrong is told in our own sentences
        self._clock = clock
        self.workers = asked.workers or usual_workers()
        self._nodes = Nodes(asked, patience, clock, connect)
        self._client: Client | None = None
        self._shares: Shares | None = None
        self._at_work: dict[str, tuple[Run, Future]] = {}
        self._elsewhere: list[Run] = []  # those that a worker process of this machine is at
        self._ended: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._sent: Sent | None = None
        self._number = 0
        self._next_note = clock()

    @property
    def going(self) -> list[Run]:
        return [*(run for run, _ in self._at_work.values()), *self._elsewhere]

    @property
    def full(self) -> bool:
        return len(self.going) >= self.workers

    def connect(self) -> None:
        """As ``Nodes.connect``, once."""
        if self._client is not None:
            return
        self._client = self._nodes.connect()
        self.workers, self._sent = self._nodes.workers, Sent(self._client)
        if self._nodes.memory is not None:
            self._shares = Shares(self._nodes.memory)

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
                try:
                    over += self._fetched(key)
                except EngineGone:
                    if not over:
                        raise
                    self._ended.put(key)  # those that came back are told of first
                    break
                key = self._ended.get_nowait()
        self._note_alive()
        if not over and self._at_work:
            self._nodes.look()
        return over

    def _note_alive(self) -> None:
        """Notes every now and then that the runs wait or are worked on."""
        now = self._clock()
        if now >= self._next_note:
            self._next_note = now + ALIVE_SECONDS
            for run, _ in self._at_work.values():
                run.update(queued=record.now())

    def stop(self) -> None:
        from core.fleet.engines import node

        if self._client is not None and self._at_work and self._client.status == "running":
            with contextlib.suppress(Exception):  # the cluster is gone: there is nothing to stop
                ours = [run.folder.name for run, _ in self._at_work.values()]
                self._client.run(node.stop, ours, on_error="ignore")
            deadline = self._clock() + STOP_SECONDS
            with contextlib.suppress(EngineGone):
                while self._at_work and self._nodes.there() and self._clock() < deadline:
                    self.ended()
        for run, _ in self._at_work.values():
            with contextlib.suppress(OSError):  # a full disk: it reads as lost, and can be gone on with too
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
        if self._shares is not None:
            self._shares.close()
        self._client = None
        self._nodes.close()

    # one run

    def _submit(self, run: Run) -> None:
        from core.fleet.engines import node

        assert self._client is not None
        spec = run.spec
        images = str(spec.images)
        if images not in IMAGE_SETS:
            images = self._on_nodes(images)
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
        fit = self._nodes.fit()
        self._number += 1
        key = f"dissolve-{run.folder.name}-{self._number}"
        with warnings.catch_warnings(action="ignore"):  # of dask, that weights are large
            future = self._client.submit(
                node.work, task, key=key, pure=False, resources=needed, workers=fit, allow_other_workers=False
            )
        self._at_work[key] = run, future
        future.add_done_callback(lambda done: self._ended.put(key))

    def _on_nodes(self, images: str) -> str:
        """The name that the nodes have them under."""
        assert self._sent is not None
        try:
            return self._sent.name(images, {str(one.spec.images) for one in self.going})
        except BadInput:
            raise
        except Exception as error:  # dask's own, of a scheduler that is gone
            raise EngineGone(self._nodes.unreachable(error)) from None

    def _fetched(self, key: str) -> list[Run]:
        """The run of that key as it came back; none where it has to be done on another node."""
        if key not in self._at_work:
            return []
        run, future = self._at_work[key]
        if future.status in ("cancelled", "lost"):
            raise EngineGone(self._nodes.unreachable(None))
        try:
            outcome = future.result(timeout=FETCH_SECONDS)
        except TimeoutError:
            if future.status == "error":  # the node's side said so
                return [self._given_up(key)]
            # its node was lost with it: dask has it done again
            future.add_done_callback(lambda done: self._ended.put(key))
            return []
        except Exception:  # dask gave it up, because several nodes were lost with it, or the node's side failed
            return [self._given_up(key)]
        try:
            if outcome.fault is None:
                self._bring_home(run, outcome)
                del self._at_work[key]
                return [run]
            self._nodes.refuse(outcome.node, BadInput(*outcome.fault[:2], **outcome.fault[2]))
            self._submit(run)
        except (BadInput, OSError, tarfile.TarError):
            return [self._given_up(key)]
        del self._at_work[key]
        return []

    def _bring_home(self, run: Run, outcome: Outcome) -> None:
        spec = run.spec
        places = {outcome.weights: str(spec.weights), outcome.images: str(spec.images)}
        try:
            parcel.bring_home(outcome.run, run.folder, {there: here for there, here in places.items() if there != here})
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
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
