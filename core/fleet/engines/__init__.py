"""Where a fleet's runs are worked on, by name: on this machine, or on the nodes of a cluster. One file per engine.

An engine is made by ``begin(asked)`` of its module, which imports what it needs then: this list stays light.
``parcel`` packs what goes to a node and comes back, ``node`` works there, ``nodes`` finds and looks after them,
``cluster`` starts some on this machine, ``share`` tells how much of a GPU a model takes.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Protocol

from core.errors import BadInput
from core.registry import loaded
from core.runs.machine import cores
from core.runs.record import Run

# name: where ``begin`` stands; where the runs are done
ENGINES: dict[str, tuple[str, str]] = {
    "local": ("core.fleet.engines.local:begin", "processes on this machine"),
    "dask": ("core.fleet.engines.dask:begin", "the nodes of a cluster of yours, or nodes started on this machine"),
}
LOCAL = "local"  # the usual one
ON_CLUSTERS = ("dask",)  # those that an address can be given to
ADDRESS = "DISSOLVE_ENGINE_ADDRESS"  # variable of the environment: of a cluster that is there already
MOST_WORKERS = 1024


class Engine(Protocol):
    """Carries out a fleet's runs. ``ended`` gives back every run given to ``start``, however it ended.

    ``name``: as on the command line. ``workers``: how many runs are worked on at once.
    """

    name: str
    workers: int

    @property
    def full(self) -> bool:
        """Whether a run that is started now would have to wait."""

    @property
    def going(self) -> list[Run]:
        """The runs being worked on."""

    def start(self, run: Run) -> None:
        """Sets a worker to a run, a new one or one that was cut off; one that has a worker is waited for.

        Raises:
            BadInput: as ``core.runs.supervisor``.
            EngineGone: the engine can do no more.
        """

    def ended(self) -> list[Run]:
        """The runs that have ended since the last call, after a moment's wait.

        Raises:
            EngineGone: the engine can do no more.
        """

    def stop(self) -> None:
        """Stops all that is worked on; each run can be gone on with."""

    def close(self) -> None:
        """Gives back what it holds; to be called when there is no more to do."""


class EngineGone(Exception):
    """An engine can do no more. It ends the fleet's work, which can be gone on with; ``fault`` is what the user reads.

    No ``BadInput`` itself, since that would be taken for a fault of the model that was just being started.
    """

    def __init__(self, fault: BadInput) -> None:
        super().__init__(fault.message)
        self.fault = fault


@dataclass(frozen=True)
class Asked:
    """What an engine is asked for.

    ``workers``: None: as many as the engine finds right. ``address``: of a cluster that is there, or "".
    ``device``: as on the command line.
    """

    workers: int | None = None
    address: str = ""
    device: str = "auto"


NEEDS = {"dask": "distributed"}  # packages of the optional group "cluster"


def missing(name: str) -> BadInput | None:
    """``fleet_engine_missing``, where an engine's package is not installed; None where it is. Imports nothing."""
    package = NEEDS.get(name)
    if package is None or find_spec(package) is not None:
        return None
    return BadInput(
        "fleet_engine_missing",
        f"The engine {name} needs the package {package}, which is not installed; get it with: pip install --group "
        "cluster",
        engine=name, package=package,
    )  # fmt: skip


def usual_workers(available: int | None = None) -> int:
    """Half of the cores, at least 1.

    Args:
        available: cores; those that this process may use by default.
    """
    return max(1, (available or cores()) // 2)


def engine(
    name: str, workers: int | None = None, address: str = "", device: str = "auto",
    environment: Mapping[str, str] = os.environ,
) -> Engine:  # fmt: skip
    """The engine of that name.

    Args:
        address: of a cluster; where none is given, that of ``ADDRESS`` in the environment counts.

    Raises:
        BadInput: ``fleet_engine``, ``fleet_workers`` or ``fleet_engine_address``; as ``missing``; as the engine's own
            ``begin``.
    """
    if name not in ENGINES:
        raise BadInput(
            "fleet_engine",
            f"There is no engine {name!r}; use one of {', '.join(ENGINES)}.",
            value=name, allowed=", ".join(ENGINES),
        )  # fmt: skip
    if workers is not None and not 1 <= workers <= MOST_WORKERS:
        raise BadInput(
            "fleet_workers",
            f"The number of workers {workers} must be from 1 to {MOST_WORKERS}.",
            value=workers, least=1, most=MOST_WORKERS,
        )  # fmt: skip
    if address and name not in ON_CLUSTERS:
        raise BadInput(
            "fleet_engine_address",
            f"The engine {name} has no address; add --engine {ON_CLUSTERS[0]}, or leave --engine-address out.",
            engine=name, allowed=ON_CLUSTERS[0],
        )  # fmt: skip
    if fault := missing(name):
        raise fault
    given = address or (environment.get(ADDRESS, "") if name in ON_CLUSTERS else "")
    begin, _ = ENGINES[name]
    return loaded(begin)(Asked(workers, given, device))  # type: ignore[no-any-return]
