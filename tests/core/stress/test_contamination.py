from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from core.attacks import make_trigger
from core.data import load
from core.engine import worker
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


@pytest.fixture
def purified(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The runs that would have been done; each ends at once."""
    seen: list[Any] = []

    def work(folder: Path, on_event: object) -> None:
        run = Run(folder)
        seen.append((run.spec, load(run.spec.images)))
        run.update(result={"ba_before": 99.0, "ba_after": 98.0, "asr_before": 100.0, "asr_after": 1.0, "cure": "holds"})

    monkeypatch.setattr(worker, "work", work)
    return seen


def test_the_runs_own_settings_and_clean_images_are_used(run: Run, purified: list[Any]) -> None:
    row = contamination.purify(run, Contamination("labels", 20), lambda share: None)
    assert (row["kind"], row["share"], row["images"]) == ("labels", 20, 60)
    assert (row["ba_after"], row["asr_after"], row["cure"], row["handed_out"]) == (98, 1, "holds", False)
    ((spec, images),) = purified
    assert (spec.victim, spec.seed, spec.defence, spec.clean_budget) == ("digits-badnets", 0, "mcl", 60)
    whole = load("digits")
    assert (images.name, len(images.y_train)) == ("digits", 60)
    assert torch.equal(images.x_test, whole.x_test), "only the clean images are contaminated"


def test_amounts_are_kept_as_they_come(run: Run, purified: list[Any]) -> None:
    done = {"kind": "labels", "share": 5, "cure": "doubt"}
    place.keep_contaminations(run, [done])
    rows = track.contaminate(run, lambda *told: None)
    assert [(row["kind"], row["share"]) for row in rows] == [(one.kind, one.share) for one in CONTAMINATIONS]
    assert done in rows
    assert len(purified) == len(CONTAMINATIONS) - 1
    assert place.contaminations(run) == rows


def test_a_purification_that_was_stopped_is_no_finding(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "work", lambda folder, on_event: "stopped")
    with pytest.raises(KeyboardInterrupt):
        track.contaminate(run, lambda *told: None)
    assert place.contaminations(run) == []


def test_outside_the_lab_nobody_knows_the_trigger(field: Run) -> None:
    with pytest.raises(BadInput) as fault:
        contamination.purify(field, CONTAMINATIONS[0], lambda share: None)
    assert fault.value.code == "dirty_needs_lab"
