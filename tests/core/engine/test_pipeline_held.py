"""Whether accuracy holds, and what is handed out."""

from __future__ import annotations

import json
from pathlib import Path

from core.events import Verified
from tests.core.whole_runs import Done, do

LITTLE = {"batch": 8, "rounds": 0, "restarts": 0}


def test_where_accuracy_does_not_hold_nothing_is_handed_out(whole: Done, root: Path) -> None:
    """Batches of eight, and hardly a step in which the rate falls."""
    ruined = do(root, scan_from=whole.run, map=False, settings=LITTLE | {"anneal": 5})
    assert ruined.status == "done"
    assert ruined.result["ba_held"] is False
    assert ruined.result["ba_after"] < ruined.result["ba_before"] - 2
    assert not (ruined.run.folder / "model.safetensors").exists()


def test_what_is_not_cured_is_handed_out_where_that_is_asked_for(whole: Done, root: Path) -> None:
    """Nearly nothing is trained, so the backdoor stays. Two more classes stood out on the victim, one of them by its
    size, and are asked for.

    Where it is not asked for: ``test_pipeline.py``.
    """
    done = do(
        root, scan_from=whole.run, octaves={5: 3.0}, others=[7], map=False,
        settings=LITTLE | {"lr": 1e-7, "epochs": 1, "anneal": 1}, accept="not-cured",
    )  # fmt: skip
    (verified,) = done.of(Verified)
    assert verified.cure == done.result["cure"] == "failed"
    assert {"true", "fresh"} <= set(verified.reasons)
    tested = (
        verified.evidence.get("others", {}).get("target"),
        *verified.evidence.get("untested", {}).get("targets", ()),
    )
    assert {5, 7} <= {*tested}
    assert done.result["asr_after"] > 90
    assert done.result["ba_held"] is True
    assert (done.run.folder / "model.safetensors").exists()
    card = json.loads((done.run.folder / "card.json").read_text())
    assert (card["cure"], card["cure_reasons"]) == ("failed", verified.reasons)
