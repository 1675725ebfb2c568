"""A fleet of 24 small models: 12 victims, the shipped ones among them, and 12 clean networks, of two sets of images.

Those that are not shipped are trained the first time, which takes minutes, and kept in the cache. The fleet is run by
the command, with a home of its own each time, on each engine, two models at once and one at a time.
"""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

from core import paths
from core.files import write_json
from core.fleet.engines import ENGINES
from core.jobs.spawn import ROOT
from core.runs import machine
from tests.benchmarks.small_models import Model, trained
from tests.benchmarks.watch import environment

MINUTES = 12  # asked for, on two cores
SPEED_UP = 1.7
OVERHEAD = 2.0  # seconds a model
MODELS = (
    *(Model("signs", "small", 0, attack, shipped=True) for attack in ("badnets", "blended", "sig", "wanet")),
    *(Model("digits", "small", 0, attack, shipped=True) for attack in ("badnets", "blended")),
    Model("digits", "small", 11, "badnets", 3),
    Model("digits", "small", 12, "blended", 7),
    Model("digits", "resnet20", 13, "badnets", 5),
    Model("signs", "wrn16-1", 14, "badnets", 4),
    Model("signs", "wrn16-1", 15, "blended", 9),
    Model("signs", "vgg-small", 16, "badnets", 6),
    *(Model("digits", "small", seed) for seed in range(21, 25)),
    *(Model("digits", "resnet20", seed) for seed in range(25, 27)),
    *(Model("signs", "small", seed) for seed in range(31, 33)),
    *(Model("signs", "wrn16-1", seed) for seed in range(33, 35)),
    *(Model("signs", "vgg-small", seed) for seed in range(35, 37)),
)


Told = dict[str, Any]  # the object of ``--json``


def rows(
    models: Sequence[Model] = MODELS,
    workers: Sequence[int] = (2, 1),
    engines: Sequence[str] = tuple(ENGINES),
    measure: Callable[[Path, Path, str, int], Told] | None = None,
    kept: Path | None = None,
) -> list[tuple[str, str, str]]:
    """(figure, measured, asked for).

    Each fleet is done in one go and its outcome kept, so that a benchmark that was cut off goes on with the next fleet.

    Args:
        measure: does a fleet: list of models, a home of its own, engine and workers; by the command, by default.
        kept: where models and outcomes are kept; in the cache, by default.
    """
    kept = kept or paths.cache_folder() / "fleet-bench"
    kept.mkdir(parents=True, exist_ok=True)
    found: list[tuple[str, str, str]] = []
    with tempfile.TemporaryDirectory(prefix="fleet-bench-") as name:
        folder = Path(name)
        listed = _listed(models, folder, kept)
        for engine in engines:
            told = {}
            for count in workers:
                print(f"fleet of {len(models)}, {engine}, {count} ...", file=sys.stderr, flush=True)
                outcome = kept / f"{_measured_as(listed)}-{engine}-{count}.json"
                if not outcome.exists():
                    write_json(outcome, (measure or by_command)(listed, folder / f"{engine}-{count}", engine, count))
                told[count] = json.loads(outcome.read_bytes())
            found += _figures(f"fleet of {len(models)} small models, {engine}", told, models)
    return found


def _measured_as(listed: Path) -> str:
    """What outcomes that may be compared have in common: machine, versions, commit and models."""
    facts = [machine.describe(), machine.versions(), machine.git_commit(), listed.read_text()]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


def _figures(what: str, told: Mapping[int, Told], models: Sequence[Model]) -> list[tuple[str, str, str]]:
    found = [
        (f"{what}, {count} at once", f"{one['seconds'] / 60:.1f} min", f"<= {MINUTES} min on two cores")
        for count, one in told.items()
    ]
    counts = list(told)
    first, last = counts[0], counts[-1]
    found.append((f"{what}: victims in the first places", _places(told[first], models), "those that the scan can name"))
    found.append((f"{what}: could not be looked at", str(_faults(told[first])), "0"))
    if 1 in told:
        found.append((f"{what}: overhead a model", f"{_overhead(told[1]):.2f} s", f"<= {OVERHEAD:g} s"))
    if len(told) > 1:
        times = told[last]["seconds"] / told[first]["seconds"]
        cores = f"{psutil.cpu_count(logical=False)} cores, {psutil.cpu_count()} threads"
        found.append((f"{what}: {last} to {first} at once", f"{times:.2f} times ({cores})", f">= {SPEED_UP} times"))
    return found


def _listed(models: Sequence[Model], folder: Path, kept: Path) -> Path:
    """The models and their list, in a folder."""
    file = folder / "models.csv"
    with file.open("w", newline="") as out:
        table = csv.writer(out)
        table.writerow(["weights", "images", "exposure"])
        for model in models:
            source = paths.VICTIMS / f"{model.name}.safetensors" if model.shipped else trained(model, kept)
            shutil.copyfile(source, folder / f"{model.name}.safetensors")
            table.writerow([f"{model.name}.safetensors", model.data, 3])
    return file


def by_command(models: Path, home: Path, engine: str, workers: int) -> Told:
    """The fleet of a list, with a home of its own."""
    call = [sys.executable, "-m", "core", "fleet", str(models), "--out", str(home / "fleet"), "--json"]
    with environment(DISSOLVE_HOME=home):
        done = subprocess.run(
            [*call, "--engine", engine, "--workers", str(workers)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    told: Told = json.loads(done.stdout.splitlines()[-1])
    return told


def _places(told: Told, models: Sequence[Model]) -> str:
    """How many victims stand before the first clean network, of those that the scan sees signs in."""
    victims = {f"{model.name}.safetensors" for model in models if model.is_victim}
    order = [row["file"] in victims for row in told["models"]]
    before = order.index(False) if False in order else len(order)
    named = sum(row["file"] in victims and row["verdict"] in ("strong", "some") for row in told["models"])
    return f"{before} before the first clean one; {named} of {len(victims)} named"


def _faults(told: Told) -> int:
    return sum(row["error"] is not None for row in told["models"])


def _overhead(told: Told) -> float:
    """Seconds a model, one at a time: all but what the runs themselves measured, the start of nodes among it."""
    spent = sum(sum(row["seconds"].values()) for row in told["models"] if not row["reused"])
    return (told["seconds"] - spent) / len(told["models"])


if __name__ == "__main__":
    for row in rows():
        print(" | ".join(row))
