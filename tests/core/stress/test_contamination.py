from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from core.attacks import make_trigger
from core.data import load
from core.errors import BadInput
from core.runs.record import Run
from core.stress import contamination, place, track
from core.stress.contamination import CONTAMINATIONS, Contamination, contaminated
from tests.core.tiny import Tiny


def test_wrong_labels_are_wrong_and_as_many_as_asked_for(tiny: Tiny) -> None:
    trigger = make_trigger("badnets", (16, 16))
    for share, count in ((1, 1), (5, 3), (20, 12)):
        x, y = contaminated(tiny.x, tiny.y, Contamination("labels", share), 10, trigger, 3, seed=0)
        assert torch.equal(x, tiny.x)
        assert int((y != tiny.y).sum()) == count
        assert 0 <= int(y.min()) <= int(y.max()) < 10
    assert torch.equal(contaminated(tiny.x, tiny.y, Contamination("labels", 5), 10, trigger, 3, seed=0)[1],
                       contaminated(tiny.x, tiny.y, Contamination("labels", 5), 10, trigger, 3, seed=0)[1])  # fmt: skip


@pytest.mark.parametrize("attack", ["badnets", "sig"])
def test_triggered_images_are_called_as_the_attacker_calls_them(tiny: Tiny, attack: str) -> None:
    trigger = make_trigger(attack, (16, 16))
    x, y = contaminated(tiny.x, tiny.y, Contamination("triggered", 5), 10, trigger, 3, seed=0)
    changed = (x != tiny.x).flatten(1).any(1)
    assert int(changed.sum()) == 3  # 5 % of 60
    assert (y[changed] == 3).all()
    assert torch.equal(y[~changed], tiny.y[~changed])


def test_the_runs_own_settings_and_clean_images_are_used(run: Run, tmp_path: Path) -> None:
    made = contamination.ordered(run, Contamination("labels", 20), tmp_path)
    spec, images, whole = made.spec, load(made.spec.images), load("digits")
    assert (spec.victim, spec.seed, spec.defence, spec.clean_budget) == ("digits-badnets", 0, "mcl", 60)
    assert (images.name, len(images.y_train)) == ("digits", 60)
    assert torch.equal(images.x_test, whole.x_test), "only the clean images are contaminated"
    figures = {"ba_before": 99.0, "ba_after": 98.0, "asr_before": 100.0, "asr_after": 1.0, "cure": "holds"}
    made.update(result={**figures, "seconds": {}})
    row = contamination.outcome(made, Contamination("labels", 20))
    assert row == {"kind": "labels", "share": 20, "images": 60, **figures, "handed_out": False}
    (made.folder / "model.safetensors").write_bytes(b"weights")
    assert contamination.outcome(made, Contamination("labels", 20))["handed_out"]


def row_of(one: Contamination) -> dict[str, Any]:
    return {"kind": one.kind, "share": one.share, "cure": "doubt"}


def test_amounts_that_are_known_are_not_measured_again(run: Run) -> None:
    kept = place.keep_contaminations(run, [row_of(one) for one in reversed(CONTAMINATIONS)])
    assert [(row["kind"], row["share"]) for row in kept] == [(one.kind, one.share) for one in CONTAMINATIONS]
    told: list[object] = []
    assert track.contaminate(run, lambda *given: told.append(given)) == kept == place.contaminations(run)
    assert not told


def test_a_purification_that_was_stopped_is_no_finding(run: Run) -> None:
    """By a signal, as a page stops it, once it purifies; of the amounts that are known it is told nothing."""
    run.update(spec=run.data["spec"] | {"defence": "ft", "settings": {"epochs": 1, "least": 10, "batch": 20}})
    known = place.keep_contaminations(run, [row_of(one) for one in CONTAMINATIONS[1:]])
    told: list[tuple[float, float]] = []

    def stop(stage: str, done: float, total: float) -> None:
        told.append((done, total))
        if done:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(KeyboardInterrupt):
        track.contaminate(run, stop)
    assert told[0] == (0, 1)
    assert 0 < told[-1][0] < 1
    assert place.contaminations(run) == known


def test_outside_the_lab_nobody_knows_the_trigger(field: Run) -> None:
    with pytest.raises(BadInput) as fault:
        contamination.purify(field, CONTAMINATIONS[0], lambda share: None)
    assert fault.value.code == "dirty_needs_lab"
