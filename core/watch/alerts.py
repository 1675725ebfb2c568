"""Alert rules, and the alerts that follow from a watch's log.

Alerts are a function of the log alone: the same log gives the same alerts with the same ids. So a watch that was killed
between the log and an alert writes that alert when it reads the log again, and no alert twice.
"""

from __future__ import annotations

import json
import math
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from core.errors import BadInput
from core.watch.log import Log, entries
from core.words import Words

What = Literal["alike", "flagged", "drift", "model", "verdict", "unreadable"]
COUNTING = ("alike", "flagged", "unreadable")  # rules with a threshold and a window
SHOWN = 20  # images that an alert names


@dataclass(frozen=True)
class Rule:
    """When to raise an alert.

    Attributes:
        what: "flagged": images that look triggered; "alike": flagged images that are answered with the same class;
            "unreadable": files that are no image; "drift": the stream has drifted; "model": the model's file was
            changed; "verdict": a new scan of it has another verdict.
        threshold: number within the window.
        window: images; not used in "drift", "model" and "verdict".
        quiet: seconds after an alert in which the rule (of "alike": for the same class) raises no other.
    """

    what: What
    threshold: int = 1
    window: int = 1
    quiet: float = 600.0


RULES = (
    Rule("alike", threshold=3, window=60),
    Rule("flagged", threshold=6, window=120),
    Rule("unreadable", threshold=10, window=60, quiet=3600.0),
    Rule("drift", quiet=3600.0),
    Rule("model", quiet=0.0),
    Rule("verdict", quiet=0.0),
)
"""With 1 false alarm in 100 images, the first rule raises an alert by chance about once in 100,000 images, the second
about once in 25,000 (simulated, NOTES.md)."""


@dataclass(frozen=True)
class Alert:
    """``id``: the same whenever the log is read. ``t``: seconds since 1970. ``rule``: ``Rule.what``. ``facts``: values
    in its sentence. ``files``: the images that caused it, the newest last, at most ``SHOWN``."""

    id: str
    t: float
    rule: What
    facts: dict[str, Any]
    files: list[str] = field(default_factory=list)


def read_rules(path: Path) -> tuple[Rule, ...]:
    """Rules from a JSON list of objects with the fields of ``Rule``; the list may be empty: then there are no alerts.

    Raises:
        BadInput: ``bad_rules``; ``bad_rule_count``, ``bad_rule_window``, ``bad_rule_quiet``.
    """
    try:
        listed = json.loads(path.read_bytes())
        if not isinstance(listed, list):
            raise ValueError("it is no list")
        found = tuple(Rule(**entry) for entry in listed)
        for rule in found:
            if rule.what not in get_args(What):
                raise ValueError(f"there is no {rule.what!r} to ring for")
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise BadInput(
            "bad_rules",
            f"The rules in {path} cannot be used ({error}); write a list of objects with what "
            f"({', '.join(get_args(What))}), threshold, window and quiet.",
            path=str(path), reason=str(error),
        ) from None  # fmt: skip
    for number, rule in enumerate(found, 1):
        _check(path, number, rule)
    return found


def _check(path: Path, number: int, rule: Rule) -> None:
    start = f"Rule {number} ({rule.what}) in {path}"
    for field_name, value in (("threshold", rule.threshold), ("window", rule.window)):
        if type(value) is not int or value < 1:  # True is an int to Python
            raise BadInput(
                "bad_rule_count", f"{start} has {value!r} as its {field_name}; give a whole number from 1 up.",
                field=field_name, value=repr(value), path=str(path), number=number, what=rule.what,
            )  # fmt: skip
    if rule.what in COUNTING and rule.threshold > rule.window:
        raise BadInput(
            "bad_rule_window",
            f"{start} asks for {rule.threshold} within {rule.window} images, which cannot be; give a window as large "
            "as the threshold at least.",
            threshold=rule.threshold, window=rule.window, path=str(path), number=number, what=rule.what,
        )  # fmt: skip
    if type(rule.quiet) not in (int, float) or not 0 <= rule.quiet < math.inf:
        raise BadInput(
            "bad_rule_quiet", f"{start} has {rule.quiet!r} as its quiet time; give seconds, 0 or more.",
            value=repr(rule.quiet), path=str(path), number=number, what=rule.what,
        )  # fmt: skip


class Alarms:
    """Reads a log entry by entry and gives the alerts that follow; keeps no more than the windows.

    Args:
        rules: in force until an entry "start" names others.
    """

    def __init__(self, rules: Sequence[Rule] = RULES) -> None:
        self._use(rules)
        self._position = 0
        self._raised: dict[tuple[str, Any], float] = {}

    def feed(self, entry: Mapping[str, Any]) -> list[Alert]:
        """The alerts that this entry, the next of the log, gives rise to."""
        self._position += 1
        kind = entry.get("kind")
        if kind == "start" and isinstance(entry.get("rules"), list):
            self._use([Rule(**rule) for rule in entry["rules"]])
        found = []
        for rule, window in zip(self._rules, self._windows, strict=True):
            alert = None
            if kind in ("image", "unreadable") and rule.what in COUNTING:
                alert = self._counted(rule, window, entry)
            elif kind == rule.what and self._may_raise(rule, None, entry["t"]):
                alert = self._noted(rule, entry)
            if alert is not None:
                found.append(alert)
        return found

    def _use(self, rules: Sequence[Rule]) -> None:
        if tuple(rules) != getattr(self, "_rules", None):
            self._rules = tuple(rules)
            self._windows: list[deque[tuple[bool, Any, str]]] = [deque(maxlen=max(1, rule.window)) for rule in rules]

    def _counted(self, rule: Rule, window: deque[tuple[bool, Any, str]], entry: Mapping[str, Any]) -> Alert | None:
        """The alert of a rule that counts images, if enough of them came since its last one."""
        broken = entry["kind"] == "unreadable"
        if broken != (rule.what == "unreadable") and broken:
            return None  # a broken file is no image of the window
        counts = broken if rule.what == "unreadable" else bool(entry.get("flagged"))
        of = entry.get("answer") if rule.what == "alike" else None
        window.append((counts, of, entry["file"]))
        if not counts:
            return None
        files = [file for hit, group, file in window if hit and group == of]
        if len(files) < rule.threshold or not self._may_raise(rule, of, entry["t"]):
            return None
        facts = {
            "count": len(files), "images": len(window), "rate": entry.get("rate"),
            **({"answer": of} if rule.what == "alike" else {}),
        }  # fmt: skip
        kept = [(hit and group != of, group, file) for hit, group, file in window]  # those have been reported
        window.clear()
        window.extend(kept)
        return self._alert(rule, entry, facts, files[-SHOWN:])

    def _noted(self, rule: Rule, entry: Mapping[str, Any]) -> Alert | None:
        if rule.what == "drift":
            moved = [name for name, shift in entry["quantities"].items() if shift["drifted"]]
            if not moved:
                return None
            facts = {"moved": moved, "images": entry["images"], "flagged": entry["flagged"], "rate": entry["rate"]}
            return self._alert(rule, entry, facts, [])
        if rule.what == "verdict" and entry["before"] == entry["after"]:
            return None
        return self._alert(rule, entry, {name: entry.get(name) for name in ("before", "after", "file")}, [])

    def _may_raise(self, rule: Rule, of: Any, now: float) -> bool:
        last = self._raised.get((rule.what, of))
        return last is None or now - last >= rule.quiet

    def _alert(self, rule: Rule, entry: Mapping[str, Any], facts: dict[str, Any], files: list[str]) -> Alert:
        self._raised[rule.what, facts.get("answer")] = entry["t"]
        return Alert(f"{self._position}-{rule.what}", entry["t"], rule.what, facts, files)


@dataclass(frozen=True)
class Kept:
    """An alert as its log has it: ``acknowledged`` and ``sent``, seconds since 1970, or None; ``sending``: begun, and
    whether it arrived is not known; ``tries``: attempts to send it; ``unsent``: why the last one failed; ``send``: it
    was to be sent."""

    alert: Alert
    acknowledged: float | None = None
    sent: float | None = None
    sending: float | None = None
    tries: int = 0
    unsent: str = ""
    send: bool = False


def kept(path: Path) -> dict[str, Kept]:
    """The alerts of a log, by id, the oldest first."""
    found: dict[str, Kept] = {}
    for entry in entries(path):
        kind, name = entry.get("kind"), str(entry.get("id"))
        if kind == "alert":
            fields = {key: entry[key] for key in ("id", "t", "rule", "facts", "files")}
            found.setdefault(name, Kept(Alert(**fields), send=bool(entry.get("send"))))
        elif name in found and kind in ("acknowledged", "sent", "sending"):
            tries = found[name].tries + (kind == "sending")
            found[name] = Kept(**{**vars(found[name]), kind: entry["t"], "tries": tries})
        elif name in found and kind == "unsent":
            found[name] = Kept(**{**vars(found[name]), "unsent": entry["why"], "sending": None})
    return found


def acknowledge(path: Path, name: str, moment: float) -> bool:
    """Marks an alert as acknowledged, unless it is.

    Args:
        path: of the log of alerts. name: the alert's id. moment: seconds since 1970.

    Returns:
        whether there is such an alert.
    """
    one = kept(path).get(name)
    if one is not None and one.acknowledged is None:
        with Log(path) as log:
            log.append([{"kind": "acknowledged", "id": name, "t": round(moment, 3)}])
    return one is not None


def written(alerts: Iterable[Alert]) -> list[dict[str, Any]]:
    """As entries of the log of alerts."""
    return [{"kind": "alert", **asdict(alert)} for alert in alerts]


def class_names(images: str, words: Words, classes: Sequence[str]) -> list[str]:
    """The classes in the reader's language, where they are of a set that has names in it.

    Args:
        images: the set's name, or whatever a run calls its images.
    """
    return [words.name(f"class.{images}", name) for name in classes]


def sentence(alert: Alert, words: Words, classes: Sequence[str] = ()) -> str:
    """The alert in one sentence: what was observed, how certain it is, and what to do."""
    facts = alert.facts
    if alert.rule in ("alike", "flagged"):
        rate = float(facts.get("rate") or 0.0)
        answer = facts.get("answer")
        named = classes[answer] if answer is not None and answer < len(classes) else str(answer)
        return words(
            f"alert.{alert.rule}", count=facts["count"], images=facts["images"], answer=named,
            expected=f"{rate * facts['images']:.1f}",
        )  # fmt: skip
    if alert.rule == "drift":
        moved = words("alert.and").join(words(f"alert.quantity.{_group(name)}") for name in _once(facts["moved"]))
        many = facts["flagged"] > max(2.0, 3 * (facts["rate"] or 0.0) * facts["images"])
        key = "alert.drift_flagged" if many else "alert.drift"
        return words(key, moved=moved, images=facts["images"], flagged=facts["flagged"])
    if alert.rule == "unreadable":
        return words("alert.unreadable", count=facts["count"], images=facts["images"])
    if alert.rule == "verdict":
        before, after = (words(f"alert.verdict.{facts[key]}") for key in ("before", "after"))
        return words("alert.verdict", file=facts["file"], before=before, after=after)
    return words("alert.model", file=facts["file"], before=str(facts["before"])[:12], after=str(facts["after"])[:12])


def _group(name: str) -> str:
    return "features" if name.startswith("feature_") else name


def _once(names: Iterable[str]) -> list[str]:
    """One name for each group, in order."""
    return list({_group(name): name for name in names}.values())
