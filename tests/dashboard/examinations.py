"""What the tests of a stranger's model look at: a finished inspection, runs of somebody's own weights, and the page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from streamlit.testing.v1 import AppTest

from core.events import Event, Finished, Measured, Scanned, StageStarted
from core.runs.record import Run
from core.runs.spec import Spec

Open = Callable[..., AppTest]
Make = Callable[..., Run]
KEY = "0123456789abcdef"
RESULT: dict[str, Any] = {
    "found": [{"code": "wrapper", "message": "The weights were inside net.", "facts": {"where": "net"}}],
    "images": {
        "path": "/photos", "name": "photos", "train": 400, "test": 100, "height": 32, "width": 24,
        "classes": ["cat", "dog"], "counts": [200, 200], "left_out": 3,
    },
    "candidates": [{"arch": name, "classes": 2, "channels": 3} for name in ("wrn16-1", "vgg-small")],
    "arch": "wrn16-1", "normalize": "imagenet", "accuracy": 96.5, "objection": None,
    "tried": [
        {"arch": "wrn16-1", "normalize": name, "scaling": name, "size": None, "colour": "rgb", "accuracy": right,
         "images": 400, "tied": False}
        for name, right in (("imagenet", 96.5), ("none", 41.0))
    ],
}  # fmt: skip


def result_in(folder: Path) -> dict[str, Any]:
    """``RESULT`` with the images in a folder that is there, so that what is ordered can begin."""
    return RESULT | {"images": RESULT["images"] | {"path": str(folder)}}


CHANCE = {
    "code": "near_chance",
    "message": "English only",
    "facts": {"arch": "x", "accuracy": 9.9, "normalize": "none"},
}
NO_FIT = {"code": "no_architecture_fits", "message": "English only", "facts": {}}


def examined(
    make_run: Make, weights: Path, events: list[Event], status: str = "done", worker: Any = None, **spec: Any
) -> Run:
    order = Spec(**{"weights": str(weights), "images": "digits", "arch": "wrn16-1", "normalize": "imagenet"} | spec)
    result = next((event.result for event in events if isinstance(event, Finished)), None)
    more = {"worker": worker} if worker else {}
    return make_run("mine", status, events, spec=order.to_dict(), title="net v2.pth", result=result, **more)


def events(verdict: str = "strong", after: float | None = 95.0, **result: Any) -> list[Event]:
    told: list[Event] = [
        StageStarted("measure"),
        StageStarted("scan"),
        Scanned(1, 5.3, [44.0, 8.5, None], [100.0, 98.0, 0.2], "trigger.npz", "pixel", [0.1, 4.2, 0.3], verdict,
                {"gap": 5.2}),
        Measured("before", 95.5, 95.1, 88.0, "estimated", 100, 60),
    ]  # fmt: skip
    if after is not None:
        told += [StageStarted("verify"), Measured("after", after, 95.0, 2.0, "estimated", 100, 60)]
    return [*told, Finished({"ba_held": True} | result)]


PROOF: dict[str, Any] = {
    "fresh": {"asr": 1.2, "before": 96.0, "triggers": 6},
    "scan": {"verdict": "none", "suspicion": 0.8, "target": 1},
    "path": {"shares": [0.0, 0.1, 0.2], "asr": [1.0, 1.1, 1.5], "ba": [84.1, 84.4, 85.0]},
}


def graded(cure: str | None, *reasons: str, proof: dict[str, Any] | None = None) -> dict[str, Any]:
    """What a run's result says of the cure; None: of an older version."""
    evidence = PROOF if proof is None else proof
    return {"cure": cure, "cure_reasons": list(reasons), "proof": evidence} if cure else {}


def checked(open_page: Open, lang: str = "en") -> AppTest:
    app = open_page("examine", lang)
    app.query_params["look"] = KEY
    return app.run()


def keys(app: AppTest) -> set[str | None]:
    return {button.key for button in app.button}
