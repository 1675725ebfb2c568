"""A fleet of 24 small models: 12 victims, the shipped ones among them, and 12 clean networks, of two sets of images.

Those that are not shipped are trained the first time, which takes minutes, and kept in the cache. The fleet is run by
the command, with a home of its own each time, once with two workers and once with one.
"""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from core import paths
from core.jobs.spawn import ROOT
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
    Model("digits", "vgg-small", 13, "badnets", 5),
    Model("signs", "wrn16-1", 14, "badnets", 4),
    Model("signs", "wrn16-1", 15, "blended", 9),
    Model("signs", "vgg-small", 16, "badnets", 6),
    *(Model("digits", "small", seed) for seed in range(21, 25)),
    *(Model("digits", "vgg-small", seed) for seed in range(25, 27)),
    *(Model("signs", "small", seed) for seed in range(31, 33)),
    *(Model("signs", "wrn16-1", seed) for seed in range(33, 35)),
    *(Model("signs", "vgg-small", seed) for seed in range(35, 37)),
)


def rows(models: Sequence[Model] = MODELS, workers: Sequence[int] = (2, 1)) -> list[tuple[str, str, str]]:
    """(figure, measured, asked for)."""
    with tempfile.TemporaryDirectory(prefix="fleet-bench-") as name:
        folder = Path(name)
        listed = _listed(models, folder)
        told = {count: _run(listed, folder / f"home-{count}", count) for count in workers}
    what = f"fleet of {len(models)} small models"
    found = [
        (f"{what}, {count} workers", f"{one['seconds'] / 60:.1f} min", f"<= {MINUTES} min on two cores")
        for count, one in told.items()
    ]
    first = told[workers[0]]
    found.append((f"{what}: victims in the first places", _places(first, models), "those that the scan can name"))
    found.append((f"{what}: could not be looked at", str(_faults(first)), "0"))
    for count, one in told.items():
        if count == 1:
            found.append((f"{what}: engine's overhead a model", f"{_overhead(one):.2f} s", f"<= {OVERHEAD:g} s"))
    if len(told) > 1:
        times = told[workers[-1]]["seconds"] / first["seconds"]
        found.append((f"{what}: {workers[0]} workers to {workers[-1]}", f"{times:.2f} times", f">= {SPEED_UP} times"))
    return found


def _listed(models: Sequence[Model], folder: Path) -> Path:
    """The models and their list, in a folder."""
    kept = paths.cache_folder() / "fleet-bench"
    kept.mkdir(parents=True, exist_ok=True)
    file = folder / "models.csv"
    with file.open("w", newline="") as out:
        table = csv.writer(out)
        table.writerow(["weights", "images", "exposure"])
        for model in models:
            source = paths.VICTIMS / f"{model.name}.safetensors" if model.shipped else trained(model, kept)
            shutil.copyfile(source, folder / f"{model.name}.safetensors")
            table.writerow([f"{model.name}.safetensors", model.data, 3])
    return file


def _run(models: Path, home: Path, workers: int) -> dict[str, Any]:
    """The object of ``--json``."""
    call = [sys.executable, "-m", "core", "fleet", str(models), "--out", str(home / "fleet"), "--json"]
    with environment(DISSOLVE_HOME=home):
        done = subprocess.run(
            [*call, "--workers", str(workers)], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True
        )
    return json.loads(done.stdout.splitlines()[-1])


def _places(told: dict[str, Any], models: Sequence[Model]) -> str:
    """How many victims stand before the first clean network, of those that the scan sees signs in."""
    victims = {f"{model.name}.safetensors" for model in models if model.is_victim}
    order = [row["file"] in victims for row in told["models"]]
    before = order.index(False) if False in order else len(order)
    named = sum(row["file"] in victims and row["verdict"] in ("strong", "some") for row in told["models"])
    return f"{before} before the first clean one; {named} of {len(victims)} named"


def _faults(told: dict[str, Any]) -> int:
    return sum(row["error"] is not None for row in told["models"])


def _overhead(told: dict[str, Any]) -> float:
    """Seconds a model, with one worker: all but what the runs themselves measured."""
    spent = sum(sum(row["seconds"].values()) for row in told["models"] if not row["reused"])
    return (told["seconds"] - spent) / len(told["models"])


if __name__ == "__main__":
    for row in rows():
        print(" | ".join(row))
