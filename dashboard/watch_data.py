"""What the page "Watch" shows: the logs of a watch, read without torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from core.data.decode import decode
from core.errors import BadInput
from core.runs.record import Run
from core.watch import place
from core.watch.alerts import Kept, kept
from core.watch.log import entries
from dashboard import data

NEWEST = 4 << 20  # bytes of the log that the page reads: some ten thousand images
SIDE = 96  # pixels of a picture on the page


@dataclass(frozen=True)
class Watch:
    """``folder``: the watch's own. ``inbox``: what is watched. ``which``: "victim" or "purified"."""

    run: Run
    folder: Path
    inbox: Path
    which: str
    classes: tuple[str, ...]

    @property
    def key(self) -> str:
        return f"{self.run.id}/{self.folder.name}"


@dataclass(frozen=True)
class View:
    """The newest entries of a watch's log by kind, and its alerts, the newest first."""

    images: list[dict[str, Any]]
    drifts: list[dict[str, Any]]
    start: dict[str, Any]
    changes: list[dict[str, Any]]
    alerts: list[Kept]

    @property
    def flagged(self) -> list[dict[str, Any]]:
        """The images that were flagged, the newest first."""
        return [entry for entry in reversed(self.images) if entry["flagged"]]

    @property
    def moved(self) -> list[str]:
        """The quantities that had drifted when that was last looked at."""
        quantities = self.drifts[-1]["quantities"] if self.drifts else {}
        return [name for name, shift in quantities.items() if shift["drifted"]]


def watches() -> list[Watch]:
    """All inboxes that were ever watched, by the newest run."""
    found = []
    for run in data.runs():
        for folder in place.watched_inboxes(run):
            about = place.about(folder)
            classes = tuple(str(name) for name in about.get("classes") or ())
            inbox = Path(str(about.get("inbox", "?")))
            found.append(Watch(run, folder, inbox, str(about.get("which", "victim")), classes))
    return found


def view(watch: Watch) -> View:
    """How a watch stands now."""
    kinds: dict[str, list[dict[str, Any]]] = {}
    for entry in entries(watch.folder / place.LOG, NEWEST):
        kinds.setdefault(str(entry.get("kind")), []).append(entry)
    starts = kinds.get("start", [])
    return View(
        kinds.get("image", []), kinds.get("drift", []), starts[-1] if starts else {},
        kinds.get("model", []) + kinds.get("verdict", []),
        list(reversed(kept(watch.folder / place.ALERTS).values())),
    )  # fmt: skip


def picture(watch: Watch, file: str) -> np.ndarray | None:
    """An image of the inbox for the page, uint8 (h, w, 3); None if it is not there any more, or leads elsewhere."""
    path = watch.inbox / file
    try:
        if not path.resolve().is_relative_to(watch.inbox.resolve()):
            return None
        return decode([path], file, (SIDE, SIDE))[0]
    except (BadInput, OSError, RuntimeError):
        return None
