"""Whether accuracy holds, and what is handed out."""

from __future__ import annotations

from pathlib import Path

from tests.core.whole_runs import do


def test_where_accuracy_does_not_hold_nothing_is_handed_out(root: Path) -> None:
    ruined = do(root, map=False, settings={"lr": 3.0, "average": 0, "epochs": 1, "anneal": 5})
    assert ruined.status == "done"
    assert ruined.result["ba_held"] is False
    assert ruined.result["ba_after"] < ruined.result["ba_before"] - 2
    assert not (ruined.run.folder / "model.safetensors").exists()
