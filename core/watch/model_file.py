"""The file of the model that is watched: its hash, and what happens when that changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from core.engine import worker
from core.errors import BadInput
from core.runs import hashes, record, supervisor
from core.runs.record import Run
from core.watch.guard import Guard
from core.watch.source import Progress, Source, load, profile_of, scan_order

if TYPE_CHECKING:
    from core.watch.watcher import Watcher


class ModelFile:
    """The model as it is loaded, with its guard. A changed file is loaded anew and gets a profile of its own.

    Args:
        progress: of the making of a profile.

    Raises:
        BadInput: as ``core.watch.source.load`` and ``core.watch.source.profile_of``.
    """

    def __init__(self, source: Source, progress: Progress | None = None) -> None:
        self.source = source
        self._progress = progress
        self._gone = False
        self._scan: Run | None = None
        self._ordered = ""  # SHA-256 of the file that the last scan was ordered for
        self._load(hashes.fresh_of_weights(source.file))

    def _load(self, sha256: str) -> None:
        loaded = load(self.source)
        self.profile = profile_of(self.source, loaded, sha256, self._progress)
        self.guard = Guard(loaded.watched.model, self.profile, loaded.watched.second)
        self.sha256 = sha256

    def check(self, watcher: Watcher, wait: bool = False) -> None:
        """Compares the file with what is known of it; a change is noted, and a scan of it begun.

        Args:
            wait: do the scan now, in this process, and report it.
        """
        try:
            now = hashes.fresh_of_weights(self.source.file)
        except OSError as error:
            if not self._gone:
                watcher.say(f"The model's file {self.source.file} cannot be read ({error.strerror}); the watch goes on "
                            "with the model as it was loaded.")  # fmt: skip
            self._gone = True
            return
        self._gone = False
        known = watcher.past.models.get(self.source.which)
        before = known or self.source.recorded or now
        if before != now:
            if not self._changed(watcher, before, now):
                return  # not on the disk: it is a change still when the file is looked at again
        elif known is None:
            watcher.note({"kind": "known", "which": self.source.which, "model": now})
        elif watcher.past.scan is not None and self._scan is None:
            self._scan = self._unreported(watcher.past.scan)
        self._go_on(wait)
        self.report(watcher)

    def _go_on(self, wait: bool) -> None:
        """Sets a worker to the scan if it has none: it has just been ordered, or was cut off with an earlier watch."""
        run = self._scan
        if run is None:
            return
        status = run.status
        if status not in ("queued", "lost", "stopped") or (status == "queued" and run.data.get("worker")):
            return
        if wait:
            worker.work(run.folder)
        elif status == "queued":
            supervisor.spawn(run)
        else:
            supervisor.resume(run)

    def report(self, watcher: Watcher) -> None:
        """Says what the scan of a changed model came to, once it is done."""
        if self._scan is None or self._scan.status not in record.ENDED:
            return
        run, self._scan = self._scan, None
        after = (run.data.get("result") or {}).get("verdict") or "unknown"
        watcher.note({"kind": "verdict", "file": self.source.file.name, "before": self._verdict(), "after": after,
                      "run": run.id})  # fmt: skip
        watcher.say(f"The scan of the changed model is {run.status}: {run.id}.")

    def _verdict(self) -> str:
        """What the run said of the model before: of a purified one, that is its cure."""
        result: dict[str, Any] = self.source.run.data.get("result") or {}
        if self.source.which == "purified":
            return {"holds": "none", "doubt": "some", "failed": "strong"}.get(str(result.get("cure")), "unknown")
        return result.get("verdict") or "unknown"

    def _changed(self, watcher: Watcher, before: str, now: str) -> bool:
        """Takes up a changed file; whether that is on the log."""
        if now != self.sha256:
            try:
                self._load(now)
                watcher.guard = self.guard
            except BadInput as error:
                watcher.say(f"{error.message} The watch goes on with the model as it was loaded.")
        if self._ordered != now:
            self._scan = None
            try:
                self._scan = record.create(scan_order(self.source), title=f"{self.source.file.name}, changed")
            except BadInput as error:
                watcher.say(f"The changed model cannot be scanned: {error.message}")
            self._ordered = now
        scan = self._scan.id if self._scan else None
        return watcher.note(
            {"kind": "model", "file": self.source.file.name, "which": self.source.which, "before": before,
             "after": now, "scan": scan}
        )  # fmt: skip

    @staticmethod
    def _unreported(entry: dict[str, Any]) -> Run | None:
        """The scan that a watch before this one began; None if there is none any more."""
        try:
            return record.open(str(entry["scan"])) if entry.get("scan") else None
        except BadInput:
            return None
