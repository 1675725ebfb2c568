"""Records of runs: made, found, listed, and true about how a run stands."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from core import paths
from core.errors import BadInput
from core.events import Progress
from core.files import MB
from core.jobs import process
from core.runs import record
from core.runs.event_log import EventWriter
from core.runs.record import HeldRun, Run
from core.runs.spec import Spec

ROOT = Path(record.__file__).parents[2]
LIGHT = "core.runs.record, core.runs.supervisor, core.engine.worker, core.cli.parser"


def code_of(error: pytest.ExceptionInfo[BadInput]) -> str:
    return error.value.code


def rewrite(run: Run, **changes: object) -> None:
    (run.folder / "run.json").write_text(json.dumps(run.data | changes))


def ago(seconds: float) -> str:
    return (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat()


def test_records_supervisor_worker_and_command_line_import_nothing_heavy() -> None:
    heavy = {"torch", "torchvision", "streamlit", "plotly", "umap", "numba", "sklearn", "pandas"}
    script = f"import sys, {LIGHT}; print(*({heavy!r} & sys.modules.keys()))"
    found = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (found.stdout.strip(), found.stderr) == ("", "")


def test_a_new_run_says_what_was_asked(spec: Spec) -> None:
    run = record.create(replace(spec, target=3), title="Mine")
    assert run.folder.parent == paths.runs_folder()
    assert run.folder.name == run.id
    day, time, *name, tail = run.id.split("-")
    assert (len(day), len(time), name, len(tail)) == (8, 6, ["signs", "badnets"], 4)
    assert run.spec == replace(spec, target=3)
    assert run.status == "queued"
    assert run.data["format"] == record.FORMAT
    assert run.data["title"] == "Mine"
    assert run.events() == []


def test_a_wrong_spec_makes_no_folder(spec: Spec) -> None:
    with pytest.raises(BadInput) as caught:
        record.create(replace(spec, dims=5))
    assert code_of(caught) == "bad_dims"
    assert not paths.runs_folder().exists()


def test_a_run_in_a_folder_of_ones_own_is_found_by_id_too(spec: Spec, tmp_path: Path) -> None:
    run = record.create(spec, folder=tmp_path / "mine")
    assert run.folder == tmp_path / "mine"
    assert record.open(run.id).data == run.data
    assert [listed.id for listed in record.list_runs()] == [run.id]
    with pytest.raises(BadInput) as caught:
        record.create(spec, folder=tmp_path / "mine")
    assert code_of(caught) == "out_not_empty"


def test_a_run_in_the_folder_of_one_that_was_deleted_by_hand_is_listed_once(spec: Spec, tmp_path: Path) -> None:
    for _ in range(2):
        shutil.rmtree(tmp_path / "mine", ignore_errors=True)
        run = record.create(spec, folder=tmp_path / "mine")
    assert [listed.id for listed in record.list_runs(recordings=False)] == [run.id]
    assert len(list(paths.runs_folder().iterdir())) == 2, "the link of the first is still there"


def test_a_copied_and_a_renamed_run_go_by_the_name_of_their_folder(spec: Spec) -> None:
    run = record.create(spec)
    shutil.copytree(run.folder, run.folder.with_name("copy"))
    assert {listed.id for listed in record.list_runs(recordings=False)} == {run.id, "copy"}
    run.folder.rename(run.folder.with_name("renamed"))
    assert {listed.id for listed in record.list_runs(recordings=False)} == {"renamed", "copy"}
    assert record.open("renamed").id == "renamed"


def test_a_folder_that_cannot_be_made_is_named(spec: Spec, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput) as caught:
        record.create(spec, folder=tmp_path / "file" / "run")
    assert code_of(caught) == "folder_not_writable"
    assert str(tmp_path / "file" / "run") in caught.value.message


def test_open_takes_an_id_or_a_path(spec: Spec) -> None:
    run = record.create(spec)
    for name in (run.id, str(run.folder), run.folder):
        assert record.open(name).id == run.id


@pytest.mark.parametrize("name", ["", "nothing", "..", "/no/where", "x" * 300])
def test_what_is_no_run_is_refused(spec: Spec, name: str) -> None:
    with pytest.raises(BadInput) as caught:
        record.open(name)
    assert code_of(caught) in ("run_not_found", "not_a_run", "run_unreadable")


def test_folders_that_are_no_runs_and_records_that_cannot_be_read_have_their_codes(spec: Spec, tmp_path: Path) -> None:
    run = record.create(spec)
    with pytest.raises(BadInput) as caught:
        Run(tmp_path)
    assert code_of(caught) == "not_a_run"
    rewrite(run, format=record.FORMAT + 1)
    with pytest.raises(BadInput) as caught:
        Run(run.folder)
    assert code_of(caught) == "run_too_new"
    for content in (b"{", b"[]", b"\xff", b'{"format": 1}'):
        (run.folder / "run.json").write_bytes(content)
        with pytest.raises(BadInput) as caught:
            Run(run.folder)
        assert code_of(caught) == "run_unreadable"


@pytest.mark.parametrize("entry", ["scan_of", "weights", "images", "defence"])
@pytest.mark.parametrize("value", [5, ["last"], {"run": "last"}, True])
def test_a_record_whose_order_has_no_text_where_it_should_is_refused(spec: Spec, entry: str, value: object) -> None:
    run = record.create(spec)
    rewrite(run, spec=spec.to_dict() | {entry: value})
    with pytest.raises(BadInput) as caught:
        Run(run.folder)
    assert code_of(caught) == "run_unreadable"
    assert entry in caught.value.message


def test_runs_are_listed_newest_first_and_broken_ones_apart(spec: Spec) -> None:
    old, new, broken = (record.create(spec) for _ in range(3))
    rewrite(old, created="2026-01-01T00:00:00.000+00:00")
    rewrite(new, created="2026-11-22T00:00:00.000+00:00")
    (broken.folder / "run.json").write_text("{")
    (paths.runs_folder() / "stray.txt").write_text("")
    (paths.runs_folder() / ".hidden").mkdir()
    recording = paths.RECORDINGS / "first"
    recording.mkdir()
    data = old.data | {"id": "first", "recording": True, "status": "done", "created": "2026-06-01T00:00:00.000+00:00"}
    (recording / "run.json").write_text(json.dumps(data))
    assert [run.id for run in record.list_runs()] == [new.id, "first", old.id]
    assert [run.id for run in record.list_runs(recordings=False)] == [new.id, old.id]
    ((folder, error),) = record.broken_runs()
    assert (folder, error.code) == (broken.folder, "run_unreadable")
    assert record.open("first").status == "done"
    assert record.list_runs(root=Path("/no/where"), recordings=False) == []


def test_queued_without_a_worker_holds_for_a_grace_only(spec: Spec) -> None:
    run = record.create(spec)
    rewrite(run, queued=ago(record.GRACE - 5))
    assert run.status == "queued"
    rewrite(run, queued=ago(record.GRACE + 1))
    assert run.status == "lost"


@pytest.mark.parametrize("stored", ["queued", "running", "paused"])
def test_status_is_as_stored_while_the_worker_lives_and_lost_when_it_does_not(spec: Spec, stored: str) -> None:
    run = record.create(spec)
    me = process.identity()
    rewrite(run, status=stored, worker=me, queued=ago(1000))
    assert run.status == stored
    rewrite(
        run, status=stored, worker=me | {"started": me["started"] - 1000}, queued=ago(1000)
    )  # its number was reused
    assert run.status == "lost"


@pytest.mark.parametrize("stored", ["done", "stopped", "failed"])
def test_an_end_needs_no_worker(spec: Spec, stored: str) -> None:
    run = record.create(spec)
    rewrite(run, status=stored, worker={"pid": 1, "started": 0})
    assert run.status == stored


def test_a_worker_that_ends_while_one_looks_is_not_lost(spec: Spec, monkeypatch: pytest.MonkeyPatch) -> None:
    run = record.create(spec)
    rewrite(run, status="running", worker=process.identity())

    def ends_now(worker: dict) -> None:
        rewrite(run, status="done")

    monkeypatch.setattr(process, "find", ends_now)
    assert run.status == "done"


def test_an_unknown_status_reads_as_lost(spec: Spec) -> None:
    run = record.create(spec)
    rewrite(run, status="dreaming")
    assert run.status == "lost"


def test_a_held_run_stands_as_it_stood(spec: Spec) -> None:
    run = record.create(spec)
    held = HeldRun(run)
    rewrite(run, status="stopped", classes=["cat"])
    assert (held.status, held.data["classes"], held.id) == ("queued", [], run.id)
    assert held.spec == run.spec
    assert (HeldRun(run).status, HeldRun(run).data["classes"]) == ("stopped", ["cat"])


def test_events_from_a_number_on(spec: Spec) -> None:
    run = record.create(spec)
    with EventWriter(run.folder / "events.jsonl") as log:
        for done in range(4):
            log.append(done / 2, Progress("load", done, 4))
    assert run.events(3) == [(1.5, Progress("load", 3, 4))]
    assert len(run.events()) == 4


@pytest.mark.parametrize(
    ("order", "kept"),
    [({"repeats": 0}, 0), ({"repeats": 3}, 3), ({"repeats": 3, "target": 1}, 0), ({"defence": "ft"}, 0)],
)
def test_the_weights_of_each_purification_that_another_one_follows_need_room(
    spec: Spec, tmp_path: Path, free_disk: Callable[[int], None], order: dict[str, Any], kept: int
) -> None:
    (tmp_path / "w.pth").write_bytes(bytes(MB))
    own = replace(spec, victim=None, weights=str(tmp_path / "w.pth"), points=2048, **order)
    free_disk((32 + 4 + kept) * MB)
    assert record.create(own).status == "queued"
    free_disk((32 + 4 + kept) * MB - 1)
    with pytest.raises(BadInput) as caught:
        record.create(own)
    assert code_of(caught) == "place_not_writable"


def test_a_run_is_not_begun_where_its_result_has_no_room(spec: Spec, tmp_path: Path) -> None:
    size = shutil.disk_usage(tmp_path).free // MB // 2  # a run needs five times as much
    with (tmp_path / "w.pth").open("wb") as file:
        file.truncate(size * MB)  # which takes no room
    own = replace(spec, victim=None, weights=str(tmp_path / "w.pth"))
    record.create(replace(own, scan_only=True))
    for folder in (None, tmp_path / "run"):
        with pytest.raises(BadInput) as caught:
            record.create(own, folder=folder)
        assert code_of(caught) == "place_not_writable"
        assert caught.value.facts["size"] == 32 + 5 * size, "2,000 points: 16 MB of features"
    assert not (tmp_path / "run").exists()
    assert len(record.list_runs()) == 1
