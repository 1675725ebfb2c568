"""Every defence with its default settings on the MCL authors' CIFAR-10 victim: same clean images, same seed.

``python -m tests.benchmarks.defences [CARD.json ...] [DEFENCE ...]`` does the same on victims with a card, as ``train``
writes them, in place of that one.

BA and ASR are taken with the REAL trigger, which no defence is told, on 3,000 test images (BA over all classes).
Beside them stand published figures of BadNets on CIFAR-10 with 5 % clean images. Those of NAD's authors are of a
network, trigger and target class like these (WRN-16-1, grid, 5), though not of this very victim; those of
BackdoorBench are of another network, PreAct-ResNet18 with 10 % poison, and of WaNet where its
leaderboard has none of BadNets. MCL's are of this victim, BA without the target class.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from core.attacks import make_trigger
from core.attacks.trigger import Trigger
from core.compute.returning import returned
from core.data import load
from core.data.budget import clean_budget
from core.data.imageset import ImageSet
from core.data.inputs import NORMALIZATIONS
from core.defenses import DEFENCES, make, settings_for
from core.metrics import attack_success_rate, benign_accuracy
from core.models.classifier import Classifier
from core.models.evaluate import answers
from core.models.weights import classifier, read_weights
from core.scan.scan import scan
from core.triggers.reconstructed import Reconstructed
from tests.benchmarks.shared_victim import ARCH, SCALING, TARGET, UNPACK, WEIGHTS
from tests.benchmarks.watch import environment

IMAGES = 3000
BUDGET = 0.05
BENCH = "BackdoorBench, PreAct-ResNet18"
NAD_CODE = "NAD's code, WRN-16-1 (before: 85.65 / 100)"


@dataclass(frozen=True)
class Case:
    """A victim with its images, its real trigger and target class."""

    victim: Classifier
    images: ImageSet
    trigger: Trigger
    target: int


# BA / ASR, percent
PUBLISHED = {
    "before": "authors of MCL, WRN-16-1: 83.01 / 99.64; BackdoorBench, PreAct-ResNet18: 91.3 / 95.0",
    "mcl": "authors of MCL, WRN-16-1: 82.29 / 1.92",
    "ft": f"{NAD_CODE}: 82.32 / 18.13; {BENCH}: 90.0 / 1.5",
    "fp": f"{BENCH}: 91.3 / 57.1",
    "nad": f"{NAD_CODE}: 82.12 / 3.57; {BENCH}: 89.9 / 2.1",
    "nc": f"{BENCH}: 89.0 / 1.3",
    "anp": f"{BENCH}: 84.2 / 0.7",
    "ibau": f"{BENCH}, WaNet: 89.5 / 5.2",
    "ft_sam": "-",
    "sau": "-",
}


def rows(defences: Sequence[str] = tuple(DEFENCES), **settings: float) -> list[tuple[str, str, str]]:
    """(figure, measured, published). ``settings`` go to each defence, for a short trial of this benchmark itself."""
    missing = [path.name for path in (WEIGHTS, UNPACK) if not path.is_file()]
    if missing:
        return [("defences", f"skipped: {' and '.join(missing)} are not in the folder shared beside this one", "-")]
    with tempfile.TemporaryDirectory() as folder, environment(DISSOLVE_DATA=Path(folder)):
        subprocess.run([sys.executable, str(UNPACK), folder, "--npz"], check=True)
        images = load("cifar10")
    victim = classifier(read_weights(WEIGHTS), ARCH, images.num_classes, *NORMALIZATIONS[SCALING])
    trigger = make_trigger("badnets", images.size, look="grid")
    return compare("defences", Case(victim, images, trigger, TARGET), defences, PUBLISHED, settings)


def on_victim(card: Path, defences: Sequence[str], **settings: float) -> list[tuple[str, str, str]]:
    """(figure, measured, "-") on the victim of a card beside its weights."""
    told = json.loads(card.read_text())
    images = load(told["data"])
    weights = read_weights(card.with_suffix(".safetensors"))
    model = classifier(weights, told["arch"], told["classes"], told["mean"], told["std"])
    trigger = make_trigger(told["attack"], images.size, **told["attack_settings"])
    return compare(told["name"], Case(model, images, trigger, told["target"]), defences, {}, settings)


def compare(
    name: str, case: Case, defences: Sequence[str], published: Mapping[str, str], settings: dict[str, float]
) -> list[tuple[str, str, str]]:
    """(figure, measured, published) of the victim and of each defence."""
    images, victim = case.images, case.victim.on(torch.device("cpu"))
    chosen = clean_budget(images.y_train, BUDGET, images.num_classes, 0)
    x, y = images.x_train[chosen], images.y_train[chosen]
    count = f"{min(IMAGES, len(images.x_test)):,} test images, real trigger"
    found = [(f"{name}: the victim, BA / true ASR ({count})", _figures(victim, case), published.get("before", "-"))]
    triggers, spent = _scanned(victim, x) if any(DEFENCES[each].needs_triggers for each in defences) else ([], 0.0)
    if triggers:
        found.append((f"{name}: scan, for MCL and NC", f"{spent:.1f} s, class {triggers[0].target}", str(case.target)))
    for each in defences:
        start = time.monotonic()
        defence = make(each, victim, x, y, triggers, settings_for(each, "default", images.name, **settings))
        for _ in defence.steps():
            pass
        model = defence.result(best=True)
        seconds = time.monotonic() - start
        label = f"{name}: {each}, BA / true ASR, seconds and steps without the scan"
        measured = f"{_figures(model, case)}, {seconds:.1f} s, {defence.done}"
        found.append((label, measured, published.get(each, "-")))
        print(" | ".join(found[-1]), file=sys.stderr, flush=True)
    return found


def _scanned(victim: Classifier, x: torch.Tensor) -> tuple[list[Reconstructed], float]:
    """The reconstructed triggers of the class that the scan finds, and how long that took."""
    start = time.monotonic()
    found = returned(scan(victim, x))
    return found.triggers(), time.monotonic() - start


def _figures(model: Classifier, case: Case) -> str:
    images = case.images
    step = max(1, len(images.x_test) // IMAGES)
    x, labels = images.x_test[::step][:IMAGES], images.y_test[::step][:IMAGES]
    clean, attacked = answers(model, x), answers(model, x, case.trigger)
    return f"{benign_accuracy(clean, labels):.2f} / {attack_success_rate(attacked, labels, case.target):.2f} %"


if __name__ == "__main__":
    cards = [Path(given) for given in sys.argv[1:] if given.endswith(".json")]
    asked = tuple(given for given in sys.argv[1:] if not given.endswith(".json")) or tuple(DEFENCES)
    for row in [row for card in cards for row in on_victim(card, asked)] if cards else rows(asked):
        print(" | ".join(row))
