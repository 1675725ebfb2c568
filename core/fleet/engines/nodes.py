"""The nodes of a dask cluster, the user's own or one started here: found, compared with this one, looked after."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from core.errors import BadInput
from core.fleet.engines import Asked, EngineGone, usual_workers

if TYPE_CHECKING:
    from distributed import Client

    from core.fleet.engines.cluster import Cluster

WATCH_SECONDS = 2.0  # between two looks at the nodes
CONNECT_SECONDS = 10.0
NODES_SECONDS = 180  # until the first node of a cluster that was started here has to report


class Nodes:
    """Found by ``connect``.

    Args:
        patience: seconds that a cluster of the user's may be without a node.
        clock: seconds that go on.
        connect: seconds that the scheduler may take to answer.

    Attributes:
        client: None before ``connect`` and after ``close``.
        cluster: the nodes that were started here, if any.
        workers: runs at once, by all nodes together.
        memory: bytes of the smallest GPU, 0 if one's is not known; None where the nodes were started without GPUs as a
            resource.
    """

    def __init__(
        self, asked: Asked, patience: float, clock: Callable[[], float], connect: float = CONNECT_SECONDS
    ) -> None:
        self._asked, self._patience, self._clock, self._connect = asked, patience, clock, connect
        self.client: Client | None = None
        self.cluster: Cluster | None = None
        self.workers = asked.workers or usual_workers()
        self.memory: int | None = None
        self._unfit: dict[str, BadInput] = {}  # by address: nodes that can do no run
        self._next_look = self._last_seen = clock()

    def connect(self) -> Client:
        """Finds the cluster, or starts one, and compares its nodes with this machine.

        Raises:
            EngineGone: ``fleet_engine_unreachable``, ``fleet_engine_empty`` or ``fleet_node_versions``.
        """
        from distributed import Client

        from core.fleet.engines import node

        if not self._asked.address:
            from core.fleet.engines.cluster import Cluster

            gpus = [] if self._asked.device == "cpu" else list(node.gpus())
            self.workers = self._asked.workers or 2 * len(gpus) or usual_workers()
            self.cluster = Cluster(self.workers, gpus)
        try:
            self.client = Client(
                self.cluster.address if self.cluster else self._asked.address,
                timeout=self._connect,
                set_as_default=False,
            )
            with contextlib.suppress(TimeoutError):
                self.client.wait_for_workers(1, timeout=NODES_SECONDS if self.cluster else self._patience)
            told = self.client.run(node.facts, on_error="return")
        except Exception as error:  # dask's own, the system's, or one about the address
            raise EngineGone(self.unreachable(error)) from None
        self._compare(told, node.versions())
        self._last_seen = self._clock()
        return self.client

    def _compare(self, told: Mapping[str, Any], ours: Mapping[str, str]) -> None:
        """Refuses a cluster without nodes, or with one that could come to other figures than this machine."""
        from core.fleet.engines import node

        if not told:
            raise EngineGone(self._empty())
        memory: dict[str, int] = {}
        for name, facts in told.items():
            if isinstance(facts, BaseException):  # most likely it has no Dissolve to import
                facts = {"versions": {}, "gpu_memory": 0}
            fault = node.different(name, facts["versions"], ours)
            if fault is not None:
                raise EngineGone(fault)
            memory[name] = facts["gpu_memory"]
        there = self.there()
        if having := [name for name, found in there.items() if node.GPU in found.get("resources", {})]:
            self.memory = min(memory.get(name, 0) for name in having)
        if self.cluster is None:
            slots = sum(found["nthreads"] for found in there.values())
            self.workers = min(slots, self._asked.workers or slots)

    def there(self) -> dict[str, Any]:
        """Dask's facts of the nodes that there are; empty also where the scheduler does not answer."""
        try:
            assert self.client is not None
            scheduler: Any = self.client.scheduler
            return dict(self.client.sync(scheduler.identity, callback_timeout=CONNECT_SECONDS)["workers"])
        except Exception:  # the connection is gone
            return {}

    def look(self) -> None:
        """Sees every now and then whether there are nodes.

        Raises:
            EngineGone: ``fleet_engine_empty``.
        """
        now = self._clock()
        if now < self._next_look:
            return
        self._next_look = now + WATCH_SECONDS
        if self.there():
            self._last_seen = self._clock()
        elif (self.cluster is not None and not self.cluster.alive) or now - self._last_seen > self._patience:
            raise EngineGone(self._empty())

    def refuse(self, name: str, fault: BadInput) -> None:
        """Gives that node no more runs."""
        self._unfit[name] = fault

    def fit(self) -> list[str] | None:
        """Those that can do runs; None for all.

        Raises:
            EngineGone: there are none; with what is wrong with one of them.
        """
        if not self._unfit:
            return None
        found = [name for name in self.there() if name not in self._unfit]
        if not found:
            raise EngineGone(next(iter(self._unfit.values())))
        return found

    def close(self) -> None:
        """Leaves the cluster; ends one that was started here."""
        if self.client is not None:
            with contextlib.suppress(Exception):
                self.client.close(timeout=2)
            self.client = None
        if self.cluster is not None:
            self.cluster.close()
            self.cluster = None

    def unreachable(self, error: Exception | None) -> BadInput:
        """``fleet_engine_unreachable``."""
        address = self._asked.address or "localhost"
        reason = f" ({type(error).__name__})" if error else " any more"
        return BadInput(
            "fleet_engine_unreachable",
            f"The cluster at {address} does not answer{reason}; see that its scheduler is up and the address is right, "
            "then give the same command again: what is done is kept.",
            address=address,
        )

    def _empty(self) -> BadInput:
        address = self._asked.address or "localhost"
        return BadInput(
            "fleet_engine_empty",
            f"The cluster at {address} has no nodes left; start some, then give the same command again: what is done "
            "is kept.",
            address=address,
        )
