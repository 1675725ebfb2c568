"""The victims of ``alarms`` purified: five kinds of network on three sets of images, no setting chosen on any of them.

As in ``cures`` each is given as its file and the images' name, nothing else, and the real trigger is used only
afterwards. Models and rows are kept in the cache beside those of ``alarms``, so that a benchmark that was cut off goes
on where it was.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

from core import paths
from core.runs.spec import Spec
from tests.benchmarks.alarms import PLANTED, VICTIMS
from tests.benchmarks.cures import Outcome, purified, summary
from tests.benchmarks.small_models import Model, accuracies, trained
from tests.benchmarks.strangers.networks import model_class

KEPT = ("verdict", "target", "asr_before", "asr_after", "cure", "cure_reasons", "proof", "seconds")  # of the result


def rows(models: Sequence[Model] = VICTIMS) -> list[tuple[str, str, str]]:
    """(figure, measured, asked for)."""
    kept = paths.cache_folder() / "alarms-bench"
    kept.mkdir(parents=True, exist_ok=True)
    # a training that did not plant the backdoor makes no victim
    found = [one for one in (_outcome(model, kept) for model in models) if one.before[1] >= PLANTED]
    return [one.row for one in found] + (summary(found) if found else [])


def _outcome(model: Model, kept: Path) -> Outcome:
    """What a purification makes of one model; looked up where it was asked before."""
    file = kept / f"{model.name}.cure.json"
    if not file.exists():
        weights = trained(model, kept)
        spec = Spec(weights=str(weights), images=model.data, model_class=model_class(model.arch), seed=model.seed)
        outcome = purified(spec, {"name": model.name, "target": model.target}, partial(accuracies, model))
        result = {name: outcome.result[name] for name in KEPT}
        file.write_text(json.dumps(asdict(outcome) | {"result": result}))
        print(" | ".join(outcome.row), file=sys.stderr, flush=True)
    told = json.loads(file.read_text())
    after = None if told["after"] is None else tuple(told["after"])
    return Outcome(told["card"], told["result"], tuple(told["before"]), after)


if __name__ == "__main__":
    for row in rows():
        print(" | ".join(row))
