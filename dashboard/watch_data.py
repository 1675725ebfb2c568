"""What the page "Watch" shows: the logs of a watch, read without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from core.data.decode import decode
from core.errors import BadInput
from core.recorded import Recording
from core.runs.record import Run
from core.watch import place
from core.watch.alerts import Kept, kept
from core.watch.log import entries
from dashboard import data

NEWEST = 4 << 20  # bytes of the log that the page reads: some ten thousand images
SIDE = 96  # pixels of a picture on the page


@dataclass(frozen=True)
class Watch:
    """``folder``: the watch's own. ``inbox``: what is watched. ``which``: "victim" or "purified". ``recorded``: it
    ships with the project, and nothing can be acknowledged."""

    run: Run
    folder: Path
    inbox: Path
    which: str
    classes: tuple[str, ...]
    recorded: bool = False

    @property
    def key(self) -> str:
        return f"{self.run.id}/{self.folder.name}"


@dataclass(frozen=True)
class Counted:
    """What a recorded stream came to, whose truth is known.

    ``triggered``: images with the sticker, and of them how many were answered as the attacker wants (``fooled``), as
    what they show (``right``), and flagged (``caught``). ``wrong``: clean images of the first two parts, which are as
    the model knows them, that were flagged, of ``clean``. ``until``: images with the sticker that had come when the
    first alert rang after the first of them; None where none did.
    """

    triggered: int
    fooled: int
    right: int
    caught: int
    wrong: int
    clean: int
    until: int | None


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


def recorded(recording: Recording, which: str) -> Watch | None:
    """The recorded watch of the "victim" or the "purified" model; None where its run does not ship."""
    run = data.find(str(recording.facts["run"]))
    if run is None:
        return None
    folder = recording.folder / which
    classes = tuple(str(name) for name in place.about(folder).get("classes") or ())
    return Watch(run, folder, recording.folder / "inbox", which, classes, recorded=True)


def counted(view: View, facts: Mapping[str, Any]) -> Counted:
    """What a recorded stream came to.

    Args:
        facts: of the recording (``core.watch.recording``).
    """
    labels, part, triggered = facts["labels"], facts["part"], set(facts["triggered"])
    with_it = [(entry, labels[at]) for at, entry in enumerate(view.images) if entry["file"] in triggered]
    clean = [entry for entry in view.images[: 2 * part] if entry["file"] not in triggered]
    moments = sorted(one.alert.t for one in view.alerts if one.alert.rule in ("alike", "flagged"))
    first = next((moment for moment in moments if with_it and moment >= with_it[0][0]["t"]), None)
    return Counted(
        triggered=len(with_it),
        fooled=sum(entry["answer"] == facts["target"] for entry, _ in with_it),
        right=sum(entry["answer"] == label for entry, label in with_it),
        caught=sum(entry["flagged"] for entry, _ in with_it),
        wrong=sum(entry["flagged"] for entry in clean),
        clean=len(clean),
        until=None if first is None else sum(entry["t"] <= first for entry, _ in with_it),
    )


def parts(view: View, facts: Mapping[str, Any]) -> list[tuple[str, float, float]]:
    """The parts of a recorded stream: name, and its first and last moment."""
    part, found = facts["part"], []
    for number, name in enumerate(facts["parts"]):
        some = view.images[number * part : (number + 1) * part]
        if some:
            found.append((str(name), some[0]["t"], some[-1]["t"]))
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
