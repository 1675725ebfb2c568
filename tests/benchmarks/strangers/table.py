"""What scan and purification make of the strangers' set: a row for each model, and how often they err.

Each model is given as its file and the images' name, nothing else: network (save ``networks.OWN``),
scaling, target and trigger are found.
The true trigger is used only afterwards, here. Models are trained by ``python -m tests.benchmarks.strangers.train``.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from core.data import load
from core.data.inputs import NORMALIZATIONS
from core.metrics import attack_success_rate, benign_accuracy
from core.models.classifier import Classifier
from core.models.evaluate import answers
from core.models.weights import fill, read_weights
from core.runs.spec import Spec
from tests.benchmarks.strangers.networks import model_class, network
from tests.benchmarks.strangers.recipes import RECIPES, Recipe
from tests.benchmarks.strangers.train import file_of, stamp_of
from tests.benchmarks.watch import environment, watch

PATIENCE = 1800.0  # seconds
IMAGES = 3000  # test images for the true figures: within a point of all of them
DROP, ASR = 2.0, 5.0  # asked for: at most


@dataclass(frozen=True)
class Outcome:
    """One model: what the run said, and what the true trigger does before and after (percent; None if clean)."""

    made: Recipe
    result: dict[str, Any]
    before: tuple[float, float | None]
    after: tuple[float, float | None] | None

    @property
    def row(self) -> tuple[str, str, str]:
        made, result = self.made, self.result
        held = " (held out)" if made.held_out else ""
        seconds = sum(result["seconds"].values())
        said = f"{result['verdict']}, class {result['target']}"
        figures = f"BA {self.before[0]:.1f}"
        if made.clean:
            return f"{made.name}{held}: clean", f"{said}; {figures}; {seconds:.0f} s", "no alarm"
        figures += f" -> {self.after[0]:.1f}" if self.after else f" -> {result['ba_after']:.1f}, not held"
        figures += f", true ASR {self.before[1]:.1f}" + (f" -> {self.after[1]:.1f}" if self.after else "")
        wanted = (
            f"class {made.target}; ASR <= {ASR:.0f}, BA -{DROP:.0f}" if made.target >= 0 else "all to all: not covered"
        )
        return f"{made.name}{held}: {made.kind}", f"{said}; {figures}; {seconds:.0f} s", wanted


def rows(names: tuple[str, ...] = ()) -> list[tuple[str, str, str]]:
    """(figure, measured, asked for) of the models that are trained, or of those named."""
    chosen = [made for made in RECIPES if file_of(made).is_file() and (not names or made.name in names)]
    if not chosen:
        return [("strangers' set", "skipped: not trained (python -m tests.benchmarks.strangers.train)", "-")]
    found = []
    for made in chosen:
        found.append(examine(made))
        print(" | ".join(found[-1].row), file=sys.stderr, flush=True)
    return [outcome.row for outcome in found] + summary(found)


def examine(made: Recipe) -> Outcome:
    """Scans and, unless it is clean, purifies one model, as ``python -m core purify FILE --images NAME`` does."""
    images, file = load(made.data), file_of(made)
    order = torch.randperm(len(images.y_test), generator=torch.Generator().manual_seed(99))[:IMAGES]
    x, y = images.x_test[order], images.y_test[order]

    def figures(weights: Path) -> tuple[float, float | None]:
        net = fill(network(made.arch, images.num_classes), read_weights(weights), made.arch, images.num_classes)
        model = Classifier(net.eval(), *NORMALIZATIONS[made.scaling]).eval()
        ba = benign_accuracy(answers(model, x), y)
        if made.clean or made.target < 0:
            return ba, None if made.clean else 100 * float((answers(model, x, stamp_of(made)) != y).float().mean())
        return ba, attack_success_rate(answers(model, x, stamp_of(made)), y, made.target)

    before = figures(file)
    with tempfile.TemporaryDirectory() as home, environment(DISSOLVE_HOME=Path(home)):
        spec = Spec(
            weights=str(file), images=made.data, model_class=model_class(made.arch), map=False, scan_only=made.clean
        )
        run, _, _ = watch(spec, PATIENCE)
        purified = run.folder / "model.safetensors"
        after = figures(purified) if purified.is_file() else None
        return Outcome(made, run.data["result"], before, after)


def summary(found: list[Outcome]) -> list[tuple[str, str, str]]:
    """How often the scan alarms on clean models, misses a target or a victim, and how many are cured."""
    clean = [each for each in found if each.made.clean]
    victims = [each for each in found if not each.made.clean and each.made.target >= 0]

    def count(name: str, good: list[bool], asked: str) -> tuple[str, str, str]:
        return name, f"{sum(good)} of {len(good)}", asked

    cured = [
        each.after is not None and (each.after[1] or 0.0) <= ASR and each.before[0] - each.after[0] <= DROP
        for each in victims
    ]
    return [
        count("clean models alarmed (some or strong signs)", [each.result["verdict"] != "none" for each in clean], "0"),
        count("victims without a sign", [each.result["verdict"] == "none" for each in victims], "0"),
        count("victims whose target is found", [each.result["target"] == each.made.target for each in victims], "all"),
        count(f"victims cured (true ASR <= {ASR:.0f} %, BA down <= {DROP:.0f})", cured, "all"),
    ]


if __name__ == "__main__":
    for row in rows(tuple(sys.argv[1:])):
        print(" | ".join(row))
