"""The folder of a fleet, and where fleets are kept.

=================== ===================================================================================================
``order.json``      what it was made of, and with which settings: ``Order``
``fleet.json``      how it stands: the rows in rank order, see ``Standing``; written anew every few seconds
``fleet.csv``       the same as a table, at the end; ``fleet.html``, ``fleet.pdf``: the summary
``pictures/``       of each run whose scan saw signs, the reconstructed trigger: ``<run>.png``
``runs/``           the runs, which open like any other
``stamps.json``     SHA-256 of the weights by place, size and times of change, so that none is read twice
``worker.lock``     held by the one process that does the fleet's work
=================== ===================================================================================================
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from core import paths
from core.errors import BadInput
from core.files import require_room, write_json
from core.fleet.listing import SIGN
from core.fleet.rows import Row
from core.jobs import process
from core.jobs.lock import held
from core.runs import record
from core.runs.lock import LOCK
from core.runs.record import Run

FORMAT = 1
STANDING, STAMPS = "fleet.json", "stamps.json"


@dataclass(frozen=True)
class Order:
    """What a fleet is made of. Whether it purifies, and how many work on it, may change between two starts.

    ``models``, ``images``: as given, absolute; ``images`` is "" where a CSV names them all.
    """

    models: str
    images: str
    seed: int = 0
    device: str = "auto"


@dataclass(frozen=True)
class Standing:
    """How a fleet stands: the object of ``--json``, and what else its page shows.

    ``models``: rows in rank order. ``worker``: the process at work on it, or None. ``at_work``: files that are being
    looked at. ``stage``: "scan", "purify" or "done"; ``done`` of ``total`` models of it, and
    ``seconds_left``, estimated, None while unknown. ``seconds``: of this start. ``purify``: whether models with signs
    are purified after the scan.
    """

    models: Sequence[Row] = ()
    seconds: float = 0.0
    engine: str = "local"
    workers: int = 1
    stage: str = "scan"
    done: int = 0
    total: int = 0
    seconds_left: float | None = None
    at_work: Sequence[str] = ()
    created: str = ""
    worker: Mapping[str, Any] | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    machine: Mapping[str, Any] = field(default_factory=dict)
    purify: bool = False

    @property
    def going(self) -> bool:
        """Whether a process works on it now."""
        return process.find(dict(self.worker) if self.worker else None) is not None


def fleets_folder() -> Path:
    return paths.home() / "fleets"


def default(models: Path | str) -> Path:
    """The default folder of a fleet, named after the folder or file of its models."""
    stem = paths.absolute(models).name.removesuffix(".csv")
    name = re.sub(r"[^\w.-]+", "-", stem).strip("-.") or "models"
    return fleets_folder() / name


def runs_of(folder: Path) -> Path:
    return folder / "runs"


def picture_of(folder: Path, run: str) -> Path:
    return folder / "pictures" / f"{run}.png"


def is_fleet(folder: Path) -> bool:
    return (folder / SIGN).is_file()


def read_order(folder: Path) -> Order | None:
    """What the fleet in a folder was made of; None where there is none, or of a version that is not ours."""
    try:
        data = json.loads((folder / SIGN).read_bytes())
        if data["format"] != FORMAT:
            return None
        return Order(**{f.name: data[f.name] for f in fields(Order)})
    except (OSError, ValueError, KeyError, TypeError):
        return None


@contextlib.contextmanager
def opened(folder: Path, order: Order) -> Iterator[None]:
    """Creates or reopens the folder of a fleet, locked against other processes.

    Raises:
        BadInput: ``fleet_not_empty``: there is something else in it; ``fleet_other_order``: it was made of something
            else; ``fleet_busy``; ``place_not_writable``.
    """
    if folder.exists() and not folder.is_dir():
        raise _not_empty(folder)
    if not is_fleet(folder):
        if folder.is_dir() and any(entry.name != LOCK for entry in folder.iterdir()):
            raise _not_empty(folder)
        require_room(folder)
    before = read_order(folder)
    if is_fleet(folder) and before != order:
        differs = _differs(before, order) if before else "another version of Dissolve"
        raise BadInput(
            "fleet_other_order",
            f"The fleet in {folder} was made with {differs}; give the same again to go on with it, or another --out.",
            path=str(folder), differs=differs,
        )  # fmt: skip
    with _alone(folder):
        if before is None:
            write_json(folder / SIGN, {"format": FORMAT, **asdict(order)})
        yield


def _differs(before: Order, order: Order) -> str:
    now = asdict(order)
    parts = [(name, value) for name, value in asdict(before).items() if value != now[name]]
    return ", ".join(f"{name} {'-' if value == '' else value}" for name, value in parts)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    with held(folder / LOCK, 0.0) as mine:
        if not mine:
            raise BadInput(
                "fleet_busy",
                f"Another process works on the fleet in {folder}; wait until it is done, or stop it.",
                path=str(folder),
            )
        yield


def _not_empty(folder: Path) -> BadInput:
    return BadInput(
        "fleet_not_empty",
        f"{folder} holds something else than a fleet; choose a new or an empty folder with --out.",
        path=str(folder),
    )


def write_standing(folder: Path, standing: Standing) -> None:
    write_json(folder / STANDING, {"format": FORMAT, **asdict(standing)})


def read_standing(folder: Path) -> Standing | None:
    """How the fleet in a folder stands; None where nothing is written down yet, or nothing that can be read."""
    try:
        data = json.loads((folder / STANDING).read_bytes())
        if data["format"] != FORMAT:
            return None
        known, mine = {f.name for f in fields(Row)}, {f.name for f in fields(Standing)}
        rows = [Row(**{name: value for name, value in row.items() if name in known}) for row in data["models"]]
        return Standing(**{name: value for name, value in data.items() if name in mine} | {"models": rows})
    except (OSError, ValueError, KeyError, TypeError):
        return None


def fleets() -> list[Path]:
    """The folders of the fleets under the home, the one that was at work last first."""
    place = fleets_folder()
    found = [folder for folder in place.iterdir() if is_fleet(folder)] if place.is_dir() else []
    return sorted(found, key=_changed, reverse=True)


def _changed(folder: Path) -> float:
    for name in (STANDING, SIGN):
        with contextlib.suppress(OSError):
            return (folder / name).stat().st_mtime
    return 0.0


def find(name: str | None) -> Path | None:
    """The fleet of that name under the home; a name comes from the address bar, so it never is a path."""
    if not name or not re.fullmatch(r"[\w-][\w.-]*", name):
        return None
    folder = fleets_folder() / name
    return folder if is_fleet(folder) else None


def listed(run: Run) -> Run:
    """The run as one of the home's runs, which every page and command finds by its id: a link is made to it.

    Only runs that are opened are listed, for thousands of scans would bury the others.
    """
    link = paths.runs_folder() / run.id
    if link.is_symlink() and not link.exists():
        link.unlink()
    if not link.exists():
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(run.folder.resolve(), target_is_directory=True)
    return record.open(run.id)
