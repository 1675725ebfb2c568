"""The file of the watched model: compares its hash, and loads and scans it anew when it changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from core.engine import worker
from core.errors import BadInput
from core.runs import file_hashes, record, supervisor
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
        self._scan: Run | None = None
        self._load(file_hashes.fresh_of_weights(source.file))

    def _load(self, sha256: str) -> None:
        loaded = load(self.source)
        profile = profile_of(self.source, loaded, sha256, self._progress)
        self.guard = Guard(loaded.watched.model, profile, loaded.watched.second)
        self.profile, self.sha256 = profile, sha256

    def check(self, watcher: Watcher, wait: bool = False) -> None:
        """Compares the file with what is known of it; a change is noted, and a scan of it begun.

        What cannot be done now, on a full disk for example, is reported once and tried again at the next check.

        Args:
            wait: do the scan now, in this process, and report it.
        """
        try:
            now = file_hashes.fresh_of_weights(self.source.file)
        except OSError as error:
            watcher.fault("file", f"The model's file {self.source.file} cannot be read ({error.strerror}); the watch "
                          "goes on with the model as it was loaded.")  # fmt: skip
            return
        watcher.mended("file")
        if not self._compared(watcher, now):
            return
        self._load_anew(watcher, now)
        self._order(watcher)
        self._go_on(watcher, wait)
        self.report(watcher)

    def _compared(self, watcher: Watcher, now: str) -> bool:
        """Puts on the log that the file was changed, or that it is known; whether the log has it."""
        which = self.source.which
        known = watcher.past.models.get(which)
        before = known or self.source.recorded or now
        if before != now:
            self._scan = None
            return watcher.note({"kind": "model", "file": self.source.file.name, "which": which, "before": before,
                                 "after": now, "scan": None})  # fmt: skip
        return known is not None or watcher.note({"kind": "known", "which": which, "model": now})

    def _load_anew(self, watcher: Watcher, now: str) -> None:
        if now == self.sha256:
            return
        try:
            self._load(now)
        except (BadInput, OSError) as error:
            watcher.fault("load", f"{_message(error)} The watch goes on with the model as it was loaded.")
            return
        watcher.mended("load")
        watcher.guard, watcher.tally.model = self.guard, self.sha256

    def _order(self, watcher: Watcher) -> None:
        """The scan of the changed file: the one that was ordered, by this watch or one before it, or a new one."""
        change = watcher.past.scan
        if self._scan is not None or change is None or change.get("which") != self.source.which:
            return
        try:
            self._scan = _ordered(change) or record.create(
                scan_order(self.source), title=f"{self.source.file.name}, changed"
            )
        except (BadInput, OSError) as error:
            watcher.fault("scan", f"The changed model cannot be scanned yet: {_message(error)}")
            return
        if change.get("scan") != self._scan.id and not watcher.note({"kind": "scan", "scan": self._scan.id}):
            return  # this watch knows of it without the log
        watcher.mended("scan")

    def _go_on(self, watcher: Watcher, wait: bool) -> None:
        """Sets a worker to the scan if it has none: it has just been ordered, or was cut off with an earlier watch."""
        run = self._scan
        if run is None:
            return
        status = run.status
        if status not in ("queued", "lost", "stopped") or (status == "queued" and run.data.get("worker")):
            return
        try:
            if wait:
                worker.work(run.folder)
            elif status == "queued":
                supervisor.spawn(run)
            else:
                supervisor.resume(run)
        except (BadInput, OSError) as error:
            watcher.fault("worker", f"The scan {run.id} of the changed model cannot begin yet: {_message(error)}")
            return
        watcher.mended("worker")

    def report(self, watcher: Watcher) -> None:
        """Logs the verdict of the scan of a changed model, once it is done."""
        run = self._scan
        if run is None or run.status not in record.ENDED:
            return
        after = (run.data.get("result") or {}).get("verdict") or "unknown"
        if not watcher.note({"kind": "verdict", "file": self.source.file.name, "before": self._verdict(),
                             "after": after, "run": run.id}):  # fmt: skip
            return
        self._scan = None
        watcher.say(f"The scan of the changed model is {run.status}: {run.id}.")

    def _verdict(self) -> str:
        """What the run said of the model before: of a purified one, that is its cure."""
        result: dict[str, Any] = self.source.run.data.get("result") or {}
        if self.source.which == "purified":
            return {"holds": "none", "doubt": "some", "failed": "strong"}.get(str(result.get("cure")), "unknown")
        return result.get("verdict") or "unknown"


def _ordered(change: dict[str, Any]) -> Run | None:
    """The scan that was ordered for a change; None if there is none, or none any more."""
    try:
        return record.open(str(change["scan"])) if change.get("scan") else None
    except BadInput:
        return None


def _message(error: BadInput | OSError) -> str:
    return error.message if isinstance(error, BadInput) else f"{error.filename or 'A file'}: {error.strerror}."
