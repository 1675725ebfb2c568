"""The watch of one inbox: examines arriving images, logs them, and raises alerts.

The log is written first: an image is done once its entry is on the disk, and alerts are a function of the log. So after
a kill -9 no image is examined twice, and no alert is lost or raised twice (``core.watch.replay``).
"""

from __future__ import annotations

import os
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from core import __version__
from core.errors import BadInput
from core.files import write_json
from core.runs.record import now
from core.watch.alerts import RULES, Alert, Rule, written
from core.watch.drift import MIN_WINDOW, Shift, drift
from core.watch.guard import Finding, Guard
from core.watch.inbox import SETTLED, Arrival, Inbox
from core.watch.log import Log
from core.watch.place import ABOUT, ALERTS, LOG
from core.watch.replay import replay

BATCH = 64  # images that are read, examined and logged together
DRIFT_EVERY = 50  # images between two drift tests
Say = Callable[[str], None]
Progress = Callable[[int, int], None]


@dataclass
class Tally:
    """Counts and recent items of this watch since it began.

    ``counts``: numbers of "flagged" and "unreadable" images, of "alerts" and of each rule's ("alert.<rule>"), and of
    changes of the model's file ("model"). The lists of these names hold the last ``most`` items each, or all if it is
    None. ``looked``: when the inbox was last looked at, seconds since 1970; 0 before. ``model``: SHA-256 of the file
    that the guard's model came from.
    """

    most: int | None = None
    images: int = 0
    waiting: int = 0
    looked: float = 0.0
    model: str = ""
    drift: dict[str, Shift] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.flagged: deque[dict[str, Any]] = deque(maxlen=self.most)
        self.unreadable: deque[dict[str, str]] = deque(maxlen=self.most)
        self.alerts: deque[Alert] = deque(maxlen=self.most)


class Watcher:
    """Examines the images of an inbox with a guard.

    Args:
        folder: of this inbox (``core.watch.place.inbox_folder``); made if it is not there.
        model: SHA-256 of the file that the guard's model came from, as it is shown; what it is compared with stands in
            ``Watcher.past.models``.
        rules: when to raise an alert.
        say: called with one sentence for each thing that went wrong.
        on_alert: called with each alert, once it is on the disk.
        sends: whether alerts are to be sent; noted with each.
        most: flagged images, unreadable files and alerts that the tally lists; all by default.
        clock: seconds since 1970.

    Raises:
        OSError: nothing can be written in ``folder``.
    """

    def __init__(
        self,
        guard: Guard,
        inbox: Inbox,
        folder: Path,
        *,
        model: str = "",
        rules: Sequence[Rule] = RULES,
        say: Say = lambda sentence: None,
        on_alert: Callable[[Alert], None] = lambda alert: None,
        sends: bool = False,
        most: int | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.guard, self.inbox, self.folder = guard, inbox, folder
        self.tally = Tally(most, model=model)
        self.say, self._on_alert, self._sends, self._clock = say, on_alert, sends, clock
        self._reported: set[str] = set()  # lasting faults, each reported once
        self._log, self._alerts = Log(folder / LOG), Log(folder / ALERTS)
        self.past = replay(folder, rules)
        self._pending = self.past.missing
        which = guard.profile.which
        about = {"inbox": str(inbox.path.absolute()), "which": which, "classes": list(guard.profile.classes)}
        write_json(folder / ABOUT, {**about, "model": model, "since": now()})
        self.note(
            {"kind": "start", "rules": [asdict(rule) for rule in rules], "model": model, "which": which,
             "version": __version__}
        )  # fmt: skip

    def close(self) -> None:
        self._log.close()
        self._alerts.close()

    def look(self, progress: Progress | None = None) -> None:
        """Examines all new images in the inbox, in order of name, and tests for drift in between.

        Args:
            progress: called with (images done, images that are new).
        """
        if not self._is_there():
            return
        fresh = [one for one in self.inbox.arrivals() if self.past.seen.get(one.file) != (one.size, one.changed)]
        self.tally.waiting = done = 0
        arrivals = iter(fresh)
        while part := list(islice(arrivals, BATCH)):
            if not self._batch(part):
                return
            done += len(part)
            if progress:
                progress(done, len(fresh))
            if self.past.since >= DRIFT_EVERY:
                self.compare()
        self._write_pending()
        self.tally.looked = self._clock()

    def compare(self) -> None:
        """Tests the last images for drift and logs the result, if new images came since the last test."""
        if not self.past.since or len(self.past.recent) < MIN_WINDOW:
            return
        recent = list(self.past.recent)
        self.tally.drift = drift(self.guard.profile, recent)
        shifts = {name: asdict(shift) for name, shift in self.tally.drift.items()}
        flagged = sum(entry["flagged"] for entry in recent)
        rate = self.guard.profile.rate
        self.note({"kind": "drift", "quantities": shifts, "images": len(recent), "flagged": flagged, "rate": rate})

    def note(self, *entries: dict[str, Any]) -> bool:
        """Appends entries to the log, and the alerts that follow from them to the log of alerts.

        Returns:
            whether they are on the disk; otherwise a fault was reported.
        """
        stamped = [{"t": round(self._clock(), 3), **entry} for entry in entries]
        try:
            self._log.append(stamped)
        except OSError as error:
            self.fault("log", f"The log of the watch cannot be written ({error.strerror}); what arrives is looked at "
                        f"again once there is room in {self.folder}.")  # fmt: skip
            return False
        self.mended("log")
        for entry in stamped:
            self.tally.counts["model"] += entry["kind"] == "model"
            self._pending += self.past.take(entry)
        self._write_pending()
        return True

    def _write_pending(self) -> None:
        """Writes the pending alerts; those that cannot be written stay pending."""
        if not self._pending:
            return
        try:
            self._alerts.append([{**entry, "send": self._sends} for entry in written(self._pending)])
        except OSError as error:
            self.fault("alerts", f"An alert cannot be written ({error.strerror}); make room in {self.folder}.")
            return
        self.mended("alerts")
        new, self._pending = self._pending, []
        self.tally.alerts += new
        self.tally.counts["alerts"] += len(new)
        self.tally.counts.update(f"alert.{alert.rule}" for alert in new)
        for alert in new:
            self._on_alert(alert)

    def _is_there(self) -> bool:
        try:
            there = self.inbox.hold()
        except BadInput as error:
            self.fault("inbox", error.message)
            return False
        if not there:
            self.fault("inbox", f"The inbox {self.inbox.path} is gone; the watch goes on when it is back.")
        else:
            self.mended("inbox")
        return there

    def fault(self, kind: str, sentence: str) -> None:
        """Reports a fault once, until it is ``mended``."""
        if kind not in self._reported:
            self._reported.add(kind)
            self.say(sentence)

    def mended(self, kind: str) -> None:
        """Notes that a fault is over, so that the next one of its kind is reported."""
        self._reported.discard(kind)

    def _batch(self, part: list[Arrival]) -> bool:
        """Reads, examines and logs a few files; False if the log cannot be written."""
        entries: list[dict[str, Any]] = []
        good: list[tuple[Arrival, np.ndarray]] = []
        profile = self.guard.profile
        for arrival in part:
            try:
                good.append((arrival, self.inbox.read(arrival, profile.size, profile.bits)))
            except BadInput as error:
                entries += self._unread(arrival, error)
        if good:
            findings = self.guard.look(np.stack([pixels for _, pixels in good]))
            entries += self._described([arrival for arrival, _ in good], findings)
        entries.sort(key=lambda entry: str(entry["file"]))
        if entries and not self.note(*entries):
            return False
        for entry in entries:
            if entry["kind"] == "unreadable":
                self.tally.counts["unreadable"] += 1
                self.tally.unreadable.append({"file": entry["file"], "why": entry["why"]})
                self.say(entry["why"])
                continue
            self.tally.images += 1
            if entry["flagged"]:
                self.tally.counts["flagged"] += 1
                self.tally.flagged.append({name: entry[name] for name in ("file", "score", "why", "answer")})
        return True

    def _unread(self, arrival: Arrival, error: BadInput) -> Iterator[dict[str, Any]]:
        """The entry of a broken file; none if it is gone, or may not be written completely yet."""
        if not os.path.exists(self.inbox.path / arrival.file):
            return
        if self._clock() - arrival.changed / 1e9 < SETTLED:
            self.tally.waiting += 1
            return
        yield {"kind": "unreadable", **arrival._asdict(), "why": error.message}

    def _described(self, arrivals: list[Arrival], findings: list[Finding]) -> Iterator[dict[str, Any]]:
        rate = self.guard.profile.rate
        for arrival, finding in zip(arrivals, findings, strict=True):
            yield {
                "kind": "image", **arrival._asdict(), "answer": finding.answer,
                "confidence": round(finding.confidence, 4), "score": round(finding.score, 4),
                "flagged": finding.flagged, "why": finding.why, "rate": rate,
                "pictures": {name: round(value, 4) for name, value in finding.pictures.items()},
                "axes": [round(value, 3) for value in finding.axes],
            }  # fmt: skip
