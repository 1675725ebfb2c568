"""Cures and what is claimed of them: for each victim with a card, BA, true and estimated ASR, and the grade.

Each victim is given as its file and the images' name, nothing else, as a stranger would bring it; the card's true
trigger is used only afterwards, here. The victims are the shipped ones and those with a card in the folder
``shared/victims`` beside this one, or in the folders of ``$DISSOLVE_VICTIMS``, as ``train`` writes them.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from core import paths
from core.attacks import make_trigger
from core.data import load
from core.errors import BadInput
from core.metrics import attack_success_rate, benign_accuracy
from core.models.evaluate import answers
from core.models.weights import classifier, read_weights
from core.runs.spec import Spec
from tests.benchmarks.shared_victim import SHARED
from tests.benchmarks.watch import environment, watch

PATIENCE = 3600.0  # seconds
IMAGES = 3000  # test images for the true figures: within a point of all of them
Scaling = tuple[tuple[float, ...], tuple[float, ...]]  # mean and std of the images, as ``Classifier`` takes them
CLEAN = "clean"  # in place of an attack, on the card of a network that has none
DROP, ASR, NEAR, GONE = 2.0, 5.0, 5.0, 10.0  # asked for, percentage points and percent


@dataclass(frozen=True)
class Outcome:
    """One victim: its card, the run's result, and BA and true ASR before and after (None: nothing was handed out)."""

    card: dict[str, Any]
    result: dict[str, Any]
    before: tuple[float, float]
    after: tuple[float, float] | None

    @property
    def estimated(self) -> float | None:
        """ASR after, percent; None without a fresh trigger that shows the backdoor: any network has some pattern for
        any class, and what that does says nothing of a backdoor."""
        return float(self.result["asr_after"]) if "fresh" in self.result["proof"] else None

    @property
    def row(self) -> tuple[str, str, str]:
        result, (ba, asr) = self.result, self.before
        right = "right" if result["target"] == self.card["target"] else "wrong"
        after = "BA not held" if self.after is None else f"BA {ba:.1f} -> {self.after[0]:.1f}, true ASR {asr:.1f} -> "
        if self.after is not None:
            after += f"{self.after[1]:.1f}"
        told = f"cure {result['cure']}"
        if self.estimated is not None:
            told = f"estimated {result['asr_before']:.1f} -> {self.estimated:.1f}, {told}"
        why = f" ({', '.join(result['cure_reasons'])})" if result["cure_reasons"] else ""
        seconds = f"{sum(result['seconds'].values()):.0f} s"
        name = f"cures: {self.card['name']}"
        return name, f"{result['verdict']}, class {right}; {after}; {told}{why}; {seconds}", "ASR <= 5, BA -2, holds"


def victims() -> list[Path]:
    """Cards of the victims there are, those of one folder after the other."""
    more = [Path(folder) for folder in os.environ.get("DISSOLVE_VICTIMS", "").split(os.pathsep) if folder]
    return [card for folder in (paths.VICTIMS, SHARED / "victims", *more) for card in sorted(folder.glob("*.json"))]


def rows(names: Sequence[str] = (), seed: int = 0, **settings: float) -> list[tuple[str, str, str]]:
    """(figure, measured, asked for) of the victims there are, or of those named. ``settings`` go to the defence."""
    found, others = [], []
    for path in victims():
        card = json.loads(path.read_text())
        if names and card["name"] not in names:
            continue
        try:
            if card["attack"] == CLEAN:
                others.append(alarm(path, card, seed))
                continue
            outcome = examine(path, card, seed, settings)
        except BadInput as error:  # images that are not on this machine
            others.append((f"cures: {card['name']}", f"skipped: {error.message}", "-"))
            continue
        found.append(outcome)
        print(" | ".join(outcome.row), file=sys.stderr, flush=True)
    return [outcome.row for outcome in found] + others + (summary(found) if found else [])


def alarm(path: Path, card: dict[str, Any], seed: int) -> tuple[str, str, str]:
    """The row of a clean network: what a scan alone says of it."""
    with tempfile.TemporaryDirectory() as home, environment(DISSOLVE_HOME=Path(home)):
        weights = str(path.with_suffix(".safetensors"))
        run, _, _ = watch(Spec(weights=weights, images=card["data"], map=False, seed=seed, scan_only=True), PATIENCE)
        return f"cures: {card['name']}", f"signs of a backdoor: {run.data['result']['verdict']}", "none"


def examine(path: Path, card: dict[str, Any], seed: int, settings: dict[str, float]) -> Outcome:
    """Scans, purifies and proves one victim, as ``python -m core purify FILE --images NAME`` does."""
    images = load(card["data"])
    order = torch.randperm(len(images.y_test), generator=torch.Generator().manual_seed(99))[:IMAGES]
    x, y = images.x_test[order], images.y_test[order]
    trigger = make_trigger(card["attack"], images.size, **card["attack_settings"])

    def figures(weights: Path, scaling: Scaling | None) -> tuple[float, float]:
        mean, std = scaling or (card["mean"], card["std"])
        model = classifier(read_weights(weights), card["arch"], card["classes"], mean, std)
        asr = attack_success_rate(answers(model, x, trigger), y, card["target"])
        return benign_accuracy(answers(model, x), y), asr

    spec = Spec(weights=str(path.with_suffix(".safetensors")), images=card["data"], seed=seed, settings=dict(settings))
    return purified(spec, card, figures)


def purified(
    spec: Spec, card: dict[str, Any], figures: Callable[[Path, Scaling | None], tuple[float, float]]
) -> Outcome:
    """Runs ``spec`` without a map to the end of its proof; what is handed out is measured whatever its grade.

    Args:
        spec: of the victim's file and its images.
        card: ``name`` and ``target`` at least.
        figures: BA and true ASR, percent, of a file of weights under a scaling; under its own where that is None.
    """
    with tempfile.TemporaryDirectory() as home, environment(DISSOLVE_HOME=Path(home)):
        run, _, _ = watch(replace(spec, map=False, accept="not-cured"), PATIENCE)
        handed_out = run.folder / "model.safetensors"
        before, after = figures(Path(spec.weights or ""), None), None
        if handed_out.is_file():
            # the run found the scaling from the images, and what it hands out is for that one
            told = json.loads((run.folder / "card.json").read_text())
            after = figures(handed_out, (tuple(told["mean"]), tuple(told["std"])))
        return Outcome(card, run.data["result"], before, after)


def summary(found: Sequence[Outcome]) -> list[tuple[str, str, str]]:
    """How many are cured, how far the estimates are from the truth, and how often "holds" is false."""
    known = [(each, each.after) for each in found if each.after is not None]
    cured = sum(asr <= ASR and each.before[0] - ba <= DROP for each, (ba, asr) in known)
    told = [(each.estimated, asr) for each, (_, asr) in known if each.estimated is not None]
    near = sum(abs(estimated - asr) <= NEAR for estimated, asr in told)
    holds = [asr for each, (_, asr) in known if each.result["cure"] == "holds"]
    false = sum(asr > GONE for asr in holds)
    return [
        ("cures: victims cured (true ASR <= 5 %, BA down <= 2)", f"{cured} of {len(found)}", "all"),
        ("cures: estimated after within 5 points of true after", f"{near} of {len(told)}", "95 %"),
        ("cures: handed out without an estimate", f"{len(known) - len(told)} of {len(known)}", "-"),
        ("cures: 'holds' with a true ASR above 10", f"{false} of {len(holds)}", "none"),
    ]


if __name__ == "__main__":
    for row in rows(tuple(sys.argv[1:])):
        print(" | ".join(row))
