from __future__ import annotations

from pathlib import Path

from core.runs import record
from core.runs.record import Run
from core.watch.inbox import Inbox
from core.watch.model_file import ModelFile
from core.watch.place import inbox_folder
from core.watch.source import source_of
from core.watch.watcher import Watcher
from tests.core.tiny import Tiny
from tests.core.watch.conftest import put


def test_a_file_that_is_gone_or_no_model_stops_no_watch(run: Run, inbox: Path, tiny: Tiny) -> None:
    said: list[str] = []
    model = ModelFile(source_of(run))
    box = Inbox(inbox)
    watcher = Watcher(model.guard, box, inbox_folder(run, inbox), model=model.sha256, say=said.append)
    model.check(watcher, wait=True)
    assert said == []
    assert watcher.tally.alerts == []

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
