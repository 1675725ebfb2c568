from __future__ import annotations

import errno
import shutil
from pathlib import Path
from typing import Any

import pytest

from core import paths
from core.errors import BadInput
from core.runs import record
from core.runs.record import Run
from core.victims import card_of
from core.watch.inbox import Inbox
from core.watch.model_file import ModelFile
from core.watch.place import inbox_folder
from core.watch.source import source_of
from core.watch.watcher import Watcher
from tests.conftest import DiskFull, Started
from tests.core.tiny import Tiny
from tests.core.watch.conftest import put


def test_a_file_that_is_gone_or_no_model_stops_no_watch(run: Run, inbox: Path, tiny: Tiny) -> None:
    said: list[str] = []
    model = ModelFile(source_of(run))
    box = Inbox(inbox)
    watcher = Watcher(model.guard, box, inbox_folder(run, inbox), model=model.sha256, say=said.append)
    model.check(watcher, wait=True)
    assert said == []
    assert not watcher.tally.alerts

    model.source.file.unlink()
    model.check(watcher)
    model.check(watcher)
    assert len(said) == 1
    assert "cannot be read" in said[0]

    model.source.file.write_bytes(b"no weights at all")
    model.check(watcher, wait=True)
    assert "as it was loaded" in said[1]
    first, *rest = watcher.tally.alerts
    assert first.rule == "model"
    (scan,) = (one for one in record.list_runs(recordings=False) if one.spec.scan_only)
    assert scan.status == "failed"
    assert [(alert.rule, alert.facts["after"]) for alert in rest] == [("verdict", "unknown")]

    put(inbox, "a.png", tiny.x[0])
    watcher.look()
    assert watcher.tally.images == 1
    model.check(watcher, wait=True)
    assert len(watcher.tally.alerts) == 2  # the same file is not said again
    box.close()


OTHER = paths.VICTIMS / "digits-badnets.safetensors"


def begun(run: Run, inbox: Path, said: list[str] | None = None) -> tuple[ModelFile, Watcher]:
    """A watch as it begins: nothing is compared yet."""
    model, box = ModelFile(source_of(run)), Inbox(inbox)
    told = [] if said is None else said
    watcher = Watcher(model.guard, box, inbox_folder(run, inbox), model=model.sha256, say=told.append)
    return model, watcher


@pytest.mark.usefixtures("no_worker_starts")
def test_a_change_that_a_killed_watch_did_not_compare_rings_in_the_next(run: Run, inbox: Path) -> None:
    model, watcher = begun(run, inbox)
    model.check(watcher)
    watcher.inbox.close()
    shutil.copy(OTHER, model.source.file)
    _, watcher = begun(run, inbox)  # and is killed before it compares
    watcher.inbox.close()
    model, watcher = begun(run, inbox)
    model.check(watcher)
    assert [alert.rule for alert in watcher.tally.alerts] == ["model"]
    watcher.inbox.close()


@pytest.mark.usefixtures("no_worker_starts")
def test_a_change_that_found_the_disk_full_rings_when_there_is_room(run: Run, inbox: Path, disk_full: DiskFull) -> None:
    model, watcher = begun(run, inbox)
    model.check(watcher)
    shutil.copy(OTHER, model.source.file)
    with disk_full():
        model.check(watcher)
    assert not watcher.tally.alerts
    model.check(watcher)
    model.check(watcher)
    assert [alert.rule for alert in watcher.tally.alerts] == ["model"]
    assert len([one for one in record.list_runs(recordings=False) if one.spec.scan_only]) == 1
    watcher.inbox.close()


def test_the_runs_other_model_is_no_change(run: Run, inbox: Path) -> None:
    for which in ("purified", "victim", "purified"):
        model, box = ModelFile(source_of(run, which)), Inbox(inbox)  # type: ignore[arg-type]
        watcher = Watcher(model.guard, box, inbox_folder(run, inbox), model=model.sha256)
        model.check(watcher)
        assert not watcher.tally.alerts
        box.close()


@pytest.mark.usefixtures("no_worker_starts")
def test_the_file_is_read_whatever_is_kept_of_its_state(run: Run, inbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where size, times and number of the file are made the same, on a file system that lets one."""
    model, watcher = begun(run, inbox)
    model.check(watcher)
    monkeypatch.setattr("core.runs.file_hashes.of_file", lambda path: model.sha256)
    shutil.copy(OTHER, model.source.file)
    model.check(watcher)
    assert [alert.rule for alert in watcher.tally.alerts] == ["model"]
    watcher.inbox.close()


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), BadInput("some", "No room.")])
@pytest.mark.parametrize(
    "place", ["core.watch.model_file.record.create", "core.watch.model_file.profile_of", "core.runs.supervisor.spawn"]
)
def test_what_fails_with_a_changed_model_ends_no_watch_and_is_tried_again(
    run: Run, inbox: Path, no_worker_starts: Started, place: str, error: Exception
) -> None:
    said: list[str] = []
    model, watcher = begun(run, inbox, said)
    old = model.sha256
    model.check(watcher)
    shutil.copy(OTHER, model.source.file)

    def fails(*given: Any, **named: Any) -> None:
        raise error

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(place, fails)
        model.check(watcher)
        model.check(watcher)
    assert [alert.rule for alert in watcher.tally.alerts] == ["model"], "it rings whatever else fails"
    assert len(said) == 1
    assert "No space left" in said[0] or "No room" in said[0]
    model.check(watcher)
    assert model.sha256 == card_of("digits-badnets").sha256 != old
    assert watcher.guard is model.guard
    (scan,) = (one for one in record.list_runs(recordings=False) if one.spec.scan_only)
    assert no_worker_starts[-1] == ["core", "work", str(scan.folder)]
    assert watcher.past.scan is not None
    assert watcher.past.scan["scan"] == scan.id
    watcher.inbox.close()


def test_a_verdict_that_cannot_be_written_is_written_later(
    run: Run, inbox: Path, no_worker_starts: Started, disk_full: DiskFull
) -> None:
    said: list[str] = []
    model, watcher = begun(run, inbox, said)
    model.check(watcher)
    model.source.file.write_bytes(b"no weights at all")
    model.check(watcher)
    (scan,) = (one for one in record.list_runs(recordings=False) if one.spec.scan_only)
    scan.update(status="failed")
    with disk_full():
        model.report(watcher)
    model.report(watcher)
    assert [alert.rule for alert in watcher.tally.alerts] == ["model", "verdict"]
    assert sum("is failed" in sentence for sentence in said) == 1
    watcher.inbox.close()
