"""Whether accuracy holds: what is handed out, and which of the nearer models."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from core import outcome, pipeline
from core.events import Measured
from core.run_state import Clock
from tests.core.whole_runs import do


def test_where_accuracy_does_not_hold_nothing_is_handed_out(root: Path) -> None:
    ruined = do(root, map=False, settings={"lr": 3.0, "average": 0, "back": 0, "epochs": 1})
    assert ruined.status == "done"
    assert ruined.result["ba_held"] is False
    assert ruined.result["back"] is None
    assert ruined.result["ba_after"] < ruined.result["ba_before"] - 2
    assert not (ruined.run.folder / "model.safetensors").exists()


def test_where_a_longer_step_back_holds_accuracy_that_is_handed_out(root: Path) -> None:
    saved = do(root, map=False, settings={"lr": 0.1, "back": 0.0, "epochs": 1})
    assert saved.result["ba_held"] is True
    assert saved.result["back"] >= 0.1
    assert saved.result["ba_after"] >= saved.result["ba_before"] - 2
    assert (saved.run.folder / "model.safetensors").exists()
    assert len(saved.of(Measured)) == 2


@pytest.mark.parametrize(
    ("push", "accuracies", "taken", "held"),
    [
        (1.0, [88.6], 0, True),
        (1.0, [88.1, 88.2, 88.3], 2, True),
        (1.0, [88.1, 88.2, 88.0], 0, True),
        (1.0, [87.0, 88.1, 88.2], 1, True),
        (1.0, [87.0, 87.5, 87.9], 0, False),
        (1.5, [88.1, 88.3], 0, True),
        (0.0, [88.1, 88.3], 0, True),
        (0.0, [87.0, 88.1, 88.3], 1, True),
        (None, [88.1, 88.3], 0, True),
    ],
)
def test_accuracy_is_held_with_room_to_spare_where_the_trigger_is_sure(
    monkeypatch: pytest.MonkeyPatch, push: float | None, accuracies: list[float], taken: int, held: bool
) -> None:
    def measured(ba: float) -> Measured:
        return Measured("after", ba, ba, 1.0, "true", 100, 90)

    monkeypatch.setattr(outcome, "answered", lambda state, model: accuracies[model])
    monkeypatch.setattr(outcome, "accuracy", lambda state, clean: clean)
    monkeypatch.setattr(outcome, "measured", lambda state, model, when, clean: measured(clean))
    purifier = SimpleNamespace(result=lambda best: 0, nearer=lambda: ((k / 10, k) for k in range(1, len(accuracies))))
    state = SimpleNamespace(
        settings=SimpleNamespace(most_drop=2.0, back=0.05), before=measured(90.0), back=0.0,
        triggers=[] if push is None else [SimpleNamespace(push=push)], steering=SimpleNamespace(check=lambda: None),
    )  # fmt: skip
    trying = pipeline._held(state, purifier, Clock(SimpleNamespace(paused_seconds=0.0)))  # type: ignore[arg-type]
    told = []
    while True:
        try:
            told.append(next(trying))
        except StopIteration as end:
            model, after, said = end.value
            break
    assert (model, after.ba, said) == (taken, accuracies[taken], held)
    assert [event.done for event in told] == list(range(1, len(told) + 1)), "each nearer model is told of"
    assert len(told) >= taken
    assert state.back == ((taken / 10 or 0.05) if held else 0.0)
