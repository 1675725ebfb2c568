"""The state of a watch, restored from its log, which is all that remains after a kill -9."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.watch.alerts import RULES, Alarms, Alert, Rule, kept
from core.watch.drift import WINDOW
from core.watch.log import entries
from core.watch.place import ALERTS, LOG


@dataclass
class Past:
    """``seen``: size and time of change of each file, by its place below the inbox. ``recent``: the last images, for
    the drift. ``since``: images since the drift was last looked at. ``missing``: alerts that follow from the log and
    are not in the log of alerts yet. ``models``: SHA-256 of the file last compared, of the "victim" and the "purified"
    model. ``scan``: run that scans the changed model and has not been reported, or None."""

    alarms: Alarms
    seen: dict[str, tuple[int, int]] = field(default_factory=dict)
    recent: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=WINDOW))
    since: int = 0
    missing: list[Alert] = field(default_factory=list)
    models: dict[str, str] = field(default_factory=dict)
    scan: dict[str, Any] | None = None

    def take(self, entry: dict[str, Any]) -> list[Alert]:
        """Takes the next entry of the log; the alerts that follow from it."""
        kind = entry.get("kind")
        if kind in ("image", "unreadable"):
            self.seen[entry["file"]] = (entry["size"], entry["changed"])
        if kind == "image":
            self.recent.append({name: entry[name] for name in ("answer", "confidence", "pictures", "axes", "flagged")})
            self.since += 1
        elif kind == "drift":
            self.since = 0
        elif kind == "known":
            self.models[entry["which"]] = entry["model"]
        elif kind == "model":  # a "start" names what was loaded, which was not compared yet
            self.models[entry.get("which", "")] = entry["after"]
            self.scan = entry
        elif kind == "scan" and self.scan is not None:  # it could not be ordered when the change was noticed
            self.scan = {**self.scan, "scan": entry["scan"]}
        elif kind == "verdict":
            self.scan = None
        return self.alarms.feed(entry)


def replay(folder: Path, rules: Sequence[Rule] = RULES) -> Past:
    """Reads the log of an inbox's folder.

    Args:
        rules: until the log itself names some.
    """
    past = Past(Alarms(rules))
    known = kept(folder / ALERTS).keys()
    for entry in entries(folder / LOG):
        past.missing += [alert for alert in past.take(entry) if alert.id not in known]
    return past
