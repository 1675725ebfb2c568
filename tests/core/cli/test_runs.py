"""``runs`` and ``replay``: runs are listed, shown, steered, deleted and replayed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.cli import parser as cli
from core.cli import runs
from core.runs import record
from tests.conftest import Started
from tests.core.cli.made_up import only_run, raising, use

pytestmark = pytest.mark.usefixtures("home")


def test_runs_are_listed_as_a_table_and_as_json(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["runs"]) == 0
    assert "No runs yet" in capsys.readouterr().out
    cli.main(["purify", "--json"])
    (home / "broken").mkdir()
    (home / "broken" / "run.json").write_text("{")
    capsys.readouterr()
    assert cli.main(["runs"]) == 0
    out = capsys.readouterr().out
    assert only_run().id in out
    assert "done" in out
    assert "broken" in out
    for command in (["runs", "--json"], ["runs", "list", "--json"], ["runs", "--json", "list"]):
        assert cli.main(command) == 0
        data = json.loads(capsys.readouterr().out)
        assert [run["status"] for run in data["runs"]] == ["done"]
        assert data["broken"] == [str(home / "broken")]


def test_show_tells_how_a_run_stands_and_ended(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cli.main(["purify", "--json"])
    capsys.readouterr()
    assert cli.main(["runs", "show", "last"]) == 0
    assert "Target class 3" in capsys.readouterr().out
    assert cli.main(["runs", "show", "last", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ba_after"] == 96.5
    use(monkeypatch, raising(ZeroDivisionError("oops")))
    cli.main(["purify", "--json"])
    capsys.readouterr()
    assert cli.main(["runs", "show", "last"]) == 0
    out = capsys.readouterr().out
    assert "oops" in out
    assert "runs resume" in out


def test_runs_are_steered_and_deleted(
    monkeypatch: pytest.MonkeyPatch, no_worker_starts: Started, capsys: pytest.CaptureFixture[str]
) -> None:
    use(monkeypatch, raising(KeyboardInterrupt()))
    cli.main(["purify"])
    run = only_run()
    assert cli.main(["runs", "pause", run.id]) == 2
    assert cli.main(["runs", "resume", run.id]) == 0
    assert no_worker_starts == [["core", "work", str(run.folder)]]
    assert run.status == "queued"
    assert cli.main(["runs", "delete", run.id]) == 2
    assert cli.main(["runs", "stop", run.id]) == 0
    assert run.control == "stop"
    run.update(status="stopped")
    capsys.readouterr()
    assert cli.main(["runs", "delete", run.id]) == 0
    assert f"{run.id} was deleted" in capsys.readouterr().out
    assert record.list_runs() == []


def test_replay_prints_each_frame_once_at_the_pace_it_came(capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["purify", "--json"])
    run = only_run()
    events = [line for line in (run.folder / "events.jsonl").read_text().splitlines() if '"frame"' in line]
    times = [{**json.loads(line), "t": t} for line, t in zip(events, (1.0, 3.0), strict=True)]
    times.append({**times[1], "asr": 2.0, "t": 33.0})  # taken again after a resume
    (run.folder / "events.jsonl").write_text("".join(json.dumps(line) + "\n" for line in times))
    capsys.readouterr()
    waits: list[float] = []
    arguments = cli.parser().parse_args(["replay", run.id, "--speed", "4"])
    assert runs.replay(arguments, waits.append) == 0
    assert waits == [0.0, runs.LONGEST_WAIT]
    assert cli.main(["replay", "last", "--speed", "0"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[: len(out) // 2] == out[len(out) // 2 :]
    first, second = out[2:4]
    assert "99.5" in first
    assert first.count("#") == 20
    assert "2.0" in second
    assert "true ASR" in out[0]


@pytest.mark.parametrize("speed", ["nan", "inf", "-1"])
def test_a_speed_that_is_none_is_refused(speed: str, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["purify", "--json"])
    capsys.readouterr()
    assert cli.main(["replay", "last", "--speed", speed]) == 2
    told = capsys.readouterr()
    assert speed in told.err
    assert told.out == ""


@pytest.mark.parametrize(("command", "code"), [("replay last --speed -1", 2), ("replay last", 2)])
def test_nothing_to_replay_is_said(command: str, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, raising(ZeroDivisionError()))
    cli.main(["purify"])
    assert cli.main(command.split()) == code
