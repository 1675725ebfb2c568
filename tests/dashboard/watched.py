"""A watch's folder, made by hand: what the page "Watch" reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from core.files import write_json
from core.runs.record import Run
from core.watch import place
from core.watch.alerts import Alert, written
from core.watch.log import Log

CLASSES = ["speed limit 80", "stop", "give way"]
ALERT = Alert("5-alike", 1000.0, "alike", {"count": 3, "images": 60, "rate": 0.01, "answer": 0}, ["bad.png"])


def image(file: str, flagged: bool = False, **more: Any) -> dict[str, Any]:
    return {"kind": "image", "t": 1000.0, "file": file, "flagged": flagged, "score": 2.0 * flagged, "answer": 0, **more}


def make_watch(run: Run, inbox: Path, drifted: bool = False) -> Path:
    """The folder of a watch with an ordinary image, a flagged one, and an alert."""
    inbox.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((8, 8, 3), 200, np.uint8)).save(inbox / "bad.png")
    folder = place.inbox_folder(run, inbox)
    shift = {"statistic": 0.5, "p": 0.0, "drifted": drifted}
    with Log(folder / place.LOG) as log:
        log.append(
            [
                {"kind": "start", "t": 1000.0, "model": "ab" * 32, "which": "victim", "rules": []},
                image("good.png"),
                image("bad.png", flagged=True),
                image("../secret.png", flagged=True),
                {"kind": "drift", "t": 1000.0, "quantities": {"sharpness": shift}, "images": 60, "flagged": 1},
            ]
        )
    with Log(folder / place.ALERTS) as log:
        log.append(written([ALERT]))
    write_json(folder / place.ABOUT, {"inbox": str(inbox), "which": "victim", "classes": CLASSES})
    return folder
