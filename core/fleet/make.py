"""The work of a fleet: scans every model, purifies those with signs if asked, and keeps its state on disk."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from core.errors import BadInput
from core.files import sweep
from core.fleet import place, seen, step
from core.fleet.engines import Engine, EngineGone
from core.fleet.listing import Entry
from core.fleet.place import Order, Standing
from core.fleet.progress import Progress
from core.fleet.rows import Row, cure_seconds, ranked, row
from core.fleet.run_files import continue_scan, keep_picture
from core.jobs import process
from core.runs import machine, record
from core.runs.record import Run
from core.runs.spec import Spec

MAX_TRIES = 2  # of a run whose worker was lost
WRITE_SECONDS = 2.0  # between two writes of the state, at least

Report = Callable[[str, int, int], None]  # stage, models done, of so many


@dataclass
class Item:
    """A model in work: its entry, the keys of its scan and its purification, and the fault that ended it, if any."""

    entry: Entry
    row: Row
    sha256: str | None = None
    scan_key: str | None = None
    cure_key: str | None = None
    fault: BadInput | None = None
    reused: bool = False


class Fleet:
    """One start of a fleet's work, inside ``core.fleet.place.opened``.

    Args:
        folder: of the fleet. entries: its models. engine: where runs are worked on. hashes: of their files.
        report: called for every model that is done.
    """

    def __init__(
        self,
        folder: Path,
        order: Order,
        entries: Sequence[Entry],
        engine: Engine,
        hashes: seen.Hashes,
        report: Report = lambda stage, done, total: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.folder, self.order, self.engine = folder, order, engine
        self._report, self._clock = report, clock
        self.progress = Progress(clock)
        self._created = record.now()
        self._next_note = 0.0
        self._per_scan = step.PURIFY_PER_SCAN
        self._purifies = False
        self._runs: dict[str, Run] = {}  # by key: those of this start
        self._waiting: dict[str, list[Item]] = {}  # by key: the models whose rows depend on the run
        self._tries: dict[str, int] = {}
        self._faults: dict[str, BadInput] = {}  # by key: of runs that did not end
        place.runs_of(folder).mkdir(exist_ok=True)
        sweep(folder)
        for half in place.runs_of(folder).glob(".*"):  # interrupted copies and deletions
            shutil.rmtree(half, ignore_errors=True)
        self._kept = seen.runs_by_key(place.runs_of(folder))
        self._hashes = hashes
        self.items = [Item(entry, row(entry)) for entry in entries]

    def work(self, purify: bool = False) -> Standing:
        """Scans all models, then purifies those with signs if wanted; returns how the fleet stands.

        Raises:
            KeyboardInterrupt: after all workers were stopped and the standing was written.
            BadInput: likewise, where the engine can do no more.
        """
        self._purifies = purify
        try:
            self._scan()
            if purify:
                self._purify()
        except BaseException as error:
            with contextlib.suppress(KeyboardInterrupt):
                self.engine.stop()
            self._note(over=True)
            if isinstance(error, EngineGone):
                raise error.fault from None
            raise
        self.engine.close()
        self.progress.finish()
        self._per_scan = step.per_scan(cure_seconds(item.row for item in self.items))
        for item in self.items:  # with the pace as it is known now
            self._update_row(item)
        return self._note(over=True)

    # the two stages

    def _scan(self) -> None:
        self.progress.begin("scan", len(self.items))
        self._note()
        for item in self.items:
            try:
                item.sha256 = self._hashes.weights(item.entry.weights)
                images = self._hashes.images(item.entry.images)
                spec = self._spec(item.entry)
                spec.validate()
                item.scan_key = seen.key(spec, item.sha256, images)
                self._recall_cure(item, seen.key(replace(spec, scan_only=False), item.sha256, images))
                self._begin(item.scan_key, item, spec)
            except BadInput as fault:
                item.fault = fault
                self._over(item)
        self._hashes.save()
        self._wait(lambda: not self.engine.going)

    def _purify(self) -> None:
        by_row = {id(item.row): item for item in self.items if item.row.signs}
        chosen = [by_row[id(found)] for found in ranked(item.row for item in by_row.values())]
        self.progress.begin("purify", len(chosen))
        self._note()
        for item in chosen:
            assert item.sha256
            assert item.scan_key
            spec = replace(self._spec(item.entry), scan_only=False)
            item.cure_key = seen.key(spec, item.sha256, self._hashes.images(item.entry.images))
            try:
                self._begin(item.cure_key, item, spec, self._runs[item.scan_key])
            except BadInput as fault:
                self._faults[item.cure_key] = fault
                self._over(item)
        self._wait(lambda: not self.engine.going)

    def _recall_cure(self, item: Item, key: str) -> None:
        """A purification of an earlier start, so that its grade is shown also where none is asked for now."""
        run = self._kept.get(key)
        if run is not None and seen.is_final(run):
            item.cure_key, self._runs[key] = key, run

    def _spec(self, entry: Entry) -> Spec:
        return Spec(
            weights=entry.weights, images=entry.images, enough=True, seed=self.order.seed, device=self.order.device,
            map=False, live=False, scan_only=True,
        )  # fmt: skip

    # one run

    def _begin(self, key: str, item: Item, spec: Spec, scan: Run | None = None) -> None:
        """Sees that there is a run of that key, done, failed or at work; waits until the engine has room.

        Raises:
            BadInput: it cannot be started.
        """
        if key in self._waiting:  # another copy of the same file is at work
            item.reused = True
            self._waiting[key].append(item)
            return
        run = self._runs.get(key) or self._kept.get(key)
        if run is None and (run := seen.fetched(key, place.runs_of(self.folder))) is not None:
            item.reused = True
        if run is not None and seen.is_final(run):
            item.reused = item.reused or key in self._runs
            self._runs[key] = run
            self._over(item)
            return
        self._wait(lambda: not self.engine.full)
        if run is None or not self._taken_up(run):
            run = self._created_run(key, spec, scan)
            self.engine.start(run)
        self._runs[key] = run
        self._waiting[key] = [item]
        self._note()

    def _taken_up(self, run: Run) -> bool:
        """Whether a run that was cut off, or goes on, could be set to work again; else it has to be made anew."""
        try:
            self.engine.start(run)
        except BadInput:
            return False
        return True

    def _created_run(self, key: str, spec: Spec, scan: Run | None) -> Run:
        run = record.create(spec, place.runs_of(self.folder))
        run.update(**{seen.NOTED: key})
        if scan is not None:
            continue_scan(scan, run)
        return run

    def _wait(self, enough: Callable[[], bool]) -> None:
        while not enough():
            for run in self.engine.ended():
                self._ended(run)

    def _ended(self, run: Run) -> None:
        key = str(run.data[seen.NOTED])
        status = run.status
        if status == "lost" and self._tries.setdefault(key, 1) < MAX_TRIES:
            self._tries[key] += 1
            if self._taken_up(run):
                return
        if status in ("lost", "stopped"):
            self._faults[key] = BadInput(
                "run_lost",
                f"The work on {Path(str(run.spec.weights)).name} ended before it was done; see whether memory ran out, "
                "then give the same command again.",
                file=Path(str(run.spec.weights)).name,
            )
        elif (fault := self._read_others(run, key)) is not None:
            self._unfile(run, key, fault)
        elif status == "done":
            with contextlib.suppress(OSError):
                seen.remember(run)
        self.progress.add_run()
        for item in self._waiting.pop(key, []):
            self._over(item)

    def _read_others(self, run: Run, key: str) -> BadInput | None:
        """``changed_while_read`` where a run read other files than those that its key was made from."""
        noted = run.data.get("inputs") or {}
        item = self._waiting[key][0]
        for kind, path, hashed in (
            ("weights", item.entry.weights, item.sha256),
            ("images", item.entry.images, self._hashes.images(item.entry.images)),
        ):
            if noted.get(kind, hashed) != hashed:
                return BadInput(
                    "changed_while_read",
                    f"The file {path} changed while it was read; start again when it is whole.",
                    path=path,
                )
        return None

    def _unfile(self, run: Run, key: str, fault: BadInput) -> None:
        """Removes a run from its key, so that its result is not used for other files than those it read."""
        run.update(**{seen.NOTED: None})
        self._runs.pop(key, None)
        for item in self._waiting[key]:
            if key == item.scan_key:
                item.fault = fault
            else:
                self._faults[key] = fault

    def _over(self, item: Item) -> None:
        """Notes that a model is done in this stage."""
        self._update_row(item)
        self.progress.add_model(f"{item.entry.weights}\0{item.entry.images}")
        self._report(self.progress.stage, self.progress.done, self.progress.total)
        self._note()

    def _update_row(self, item: Item) -> None:
        """Makes the model's row anew, and the picture of its trigger."""
        scan, cure = (self._runs.get(key) if key else None for key in (item.scan_key, item.cure_key))
        fault = item.fault or self._faults.get(str(item.scan_key))
        lost = self._faults.get(str(item.cure_key))
        item.row = row(item.entry, scan, cure, fault, lost, item.sha256, item.reused, self._per_scan)
        if item.row.signs and scan is not None:
            keep_picture(scan, self.folder)

    # how it stands

    def _note(self, over: bool = False) -> Standing:
        if not over and self._clock() < self._next_note:
            return Standing()
        began = self._clock()
        at_work = [item.entry.file for items in self._waiting.values() for item in items]
        standing = Standing(
            models=ranked(item.row for item in self.items),
            seconds=self.progress.seconds,
            engine=self.engine.name,
            workers=self.engine.workers,
            stage=self.progress.stage,
            done=self.progress.done,
            total=self.progress.total,
            seconds_left=None if over else self.progress.seconds_left,
            at_work=[] if over else at_work,
            created=self._created,
            worker=None if over else process.identity(),
            versions=machine.versions(),
            machine=machine.describe(),
            purify=self._purifies,
        )
        place.write_standing(self.folder, standing)
        self._hashes.save()
        self._next_note = self._clock() + max(WRITE_SECONDS, 20 * (self._clock() - began))
        return standing
