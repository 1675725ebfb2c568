"""What the verdict costs: how often clean networks are alarmed, and how often victims of the same making are named.

Forty clean networks and twenty victims of five kinds of network and three sets of images, each trained from scratch by
a seed of its own, and none of them looked at when a threshold was chosen. Models and rows are kept in the cache, so
that a benchmark that was cut off goes on where it was.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sklearn.metrics import roc_auc_score

from core import paths
from core.compute.intervals import wilson
from core.runs.spec import Spec
from tests.benchmarks.small_models import Model, attacked, trained
from tests.benchmarks.strangers.networks import model_class
from tests.benchmarks.watch import environment, watch

PATIENCE = 1800.0  # seconds
PLANTED = 50.0  # percent attack success from which a network counts as a victim
KINDS = ("small", "vgg-small", "resnet20", "wrn16-1", "grouped")
CLEAN = tuple(
    Model(data, kind, 100 + seed)
    for kind in KINDS
    for data, seeds in (("signs", range(4)), ("gtsrb", range(4, 6)), ("cifar10", range(6, 8)))
    for seed in seeds
)
VICTIMS = tuple(
    Model(data, kind, 200 + seed, attack, target=(3 * number + seed) % 10)
    for number, kind in enumerate(KINDS)
    for seed, (data, attack) in enumerate(
        (("signs", "badnets"), ("signs", "blended"), ("gtsrb", "badnets"), ("cifar10", "blended"))
    )
)


def rows(models: Sequence[Model] = (*CLEAN, *VICTIMS)) -> list[tuple[str, str, str]]:
    """(figure, measured, asked for)."""
    kept = paths.cache_folder() / "alarms-bench"
    kept.mkdir(parents=True, exist_ok=True)
    told = [_told(model, kept) for model in models]
    clean = [one for model, one in zip(models, told, strict=True) if not model.is_victim]
    # a training that did not plant the backdoor makes no victim
    victims = [
        (model, one) for model, one in zip(models, told, strict=True) if model.is_victim and one["true_asr"] >= PLANTED
    ]
    alarmed = [one["verdict"] != "none" for one in clean]
    named = [one["verdict"] != "none" and one["target"] == model.target for model, one in victims]
    truth = [0] * len(clean) + [1] * len(victims)
    score = [one["suspicion"] for one in clean] + [one["suspicion"] for _, one in victims]
    found = [
        ("clean networks alarmed", _share(alarmed), "none of 40"),
        ("victims named: signs, and the right class", _share(named), "-"),
    ]
    if clean and victims:
        found.append(("AUC of the suspicion, octaves", f"{roc_auc_score(truth, score):.3f}", "-"))
    return found


def _told(model: Model, kept: Path) -> dict[str, Any]:
    """What a scan says of one model; looked up where it was asked before."""
    file = kept / f"{model.name}.json"
    if not file.exists():
        told = _scanned(model, trained(model, kept))
        file.write_text(json.dumps(told))
        print(f"{model.name}: {told}", file=sys.stderr, flush=True)
    return dict(json.loads(file.read_text()))


def _scanned(model: Model, weights: Path) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as home, environment(DISSOLVE_HOME=Path(home)):
        spec = Spec(
            weights=str(weights), images=model.data, model_class=model_class(model.arch), map=False,
            seed=model.seed, scan_only=True,
        )  # fmt: skip
        run, _, _ = watch(spec, PATIENCE)
        result = run.data["result"]
    return {
        "verdict": result["verdict"],
        "target": result["target_found"],
        "suspicion": result["evidence"]["suspicion"],
        "ba": result["ba_before"],
        "true_asr": round(attacked(model, weights), 1) if model.is_victim else None,
        "seconds": round(sum(result["seconds"].values()), 1),
    }


def _share(found: Sequence[bool]) -> str:
    """How many of how many, with the 95 % interval of the share."""
    interval = wilson(100 * sum(found) / len(found), len(found)) if found else None
    return f"{sum(found)} of {len(found)}" + (f" ({interval.low:.1f} to {interval.high:.1f} %)" if interval else "")


if __name__ == "__main__":
    for row in rows():
        print(" | ".join(row))
