"""``watch``: what it prints, and what it says of a changed model; the watch itself is tested beside its modules."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from core.cli.options import BAD_INPUT, DONE
from core.cli.parser import main
from core.cli.watch import watch_arguments
from core.data import load
from core.data.imageset import as_float
from core.events import Event, Finished
from core.files import write_json
from core.runs import record
from core.runs.record import Run
from core.runs.steering import Steering
from core.victims import card_of, trigger_of
from core.watch import place
from core.watch.alerts import Alert, written
from core.watch.inbox import Inbox
from core.watch.log import Log
from tests.conftest import Started
from tests.core.cli.made_up import RESULT, use
from tests.core.watch.conftest import finished, put


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A purification that is done, in a home of its own."""
    return finished(tmp_path, monkeypatch)


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    """Twelve images, of which three carry the sticker."""
    folder = tmp_path / "inbox"
    images = load("digits")
    x = as_float(images.x_test[images.y_test != card_of("digits-badnets").target][:12])
    x[3:6] = trigger_of(card_of("digits-badnets"), images.size)(x[3:6])
    for number, image in enumerate(x):
        put(folder, f"{number:02}.png", image)
    return folder


def watched(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict:  # type: ignore[type-arg]
    assert main(["watch", *arguments, "--once", "--json"]) == DONE
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_stickers_before_the_victim_ring_and_are_looked_at_once(
    run: Run, inbox: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = watched(capsys, str(run.folder), "--inbox", str(inbox), "--victim")
    assert found["images"] == 12
    assert {one["file"] for one in found["flagged"]} >= {"03.png", "04.png", "05.png"}
    assert set(found["flagged"][0]) >= {"file", "score", "why"}
    alert = found["alerts"][0]
    assert alert["files"][-3:] == ["03.png", "04.png", "05.png"]
    assert found["drift"] == {}  # too few images
    assert found["model"] == "victim"
    again = watched(capsys, str(run.folder), "--inbox", str(inbox), "--victim")
    assert (again["images"], again["flagged"], again["alerts"]) == (0, [], [])


def test_alerts_are_listed_and_acknowledged(run: Run, inbox: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = watched(capsys, str(run.folder), "--inbox", str(inbox), "--victim")
    name = found["alerts"][0]["id"]
    assert main(["watch", str(run.folder), "--acknowledge", name]) == DONE
    capsys.readouterr()
    assert main(["watch", str(run.folder), "--alerts", "--json"]) == DONE
    (listed,) = json.loads(capsys.readouterr().out)["alerts"]
    assert listed["acknowledged"] is not None
    assert main(["watch", str(run.folder), "--alerts", "--language", "ja"]) == DONE
    assert "トリガー" in capsys.readouterr().out
    assert main(["watch", str(run.folder), "--acknowledge", "0-none"]) == BAD_INPUT


def scanned(run: Run, steering: Steering) -> Iterator[Event]:
    yield Finished(RESULT | {"verdict": "strong"})


def test_a_changed_model_is_said_and_scanned_anew(
    run: Run, inbox: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The purified model is replaced by its victim, backdoor and all."""
    use(monkeypatch, scanned)
    first = watched(capsys, str(run.folder), "--inbox", str(inbox))
    assert first["model"] == "purified"
    assert not {"model", "verdict"} & {alert["rule"] for alert in first["alerts"]}
    shutil.copy(card_of("digits-badnets").weights, run.folder / "model.safetensors")
    found = watched(capsys, str(run.folder), "--inbox", str(inbox))
    assert found["sha256"] == card_of("digits-badnets").sha256
    assert [alert["rule"] for alert in found["alerts"]] == ["model", "verdict"]
    assert found["alerts"][1]["facts"]["after"] == "strong"
    (scan,) = (one for one in record.list_runs(recordings=False) if one.spec.scan_only)
    assert scan.spec.weights == str(run.folder / "model.safetensors")
    assert watched(capsys, str(run.folder), "--inbox", str(inbox))["alerts"] == []


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--inbox", "{tmp}/none"], "There is no folder"),
        ([], "--inbox DIR"),
        (["--inbox", "{tmp}", "--rules", "{tmp}/none.json"], "cannot be used"),
        (["--inbox", "{tmp}", "--every", "0"], "no number above 0"),
    ],
)
def test_what_cannot_be_watched_is_said_in_one_sentence(
    run: Run, tmp_path: Path, arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["watch", str(run.folder), *(part.format(tmp=tmp_path) for part in arguments)]
    try:
        code = main(given)
    except SystemExit as end:
        code = end.code  # type: ignore[assignment]
    assert code == BAD_INPUT
    told = capsys.readouterr().err
    assert sentence in told
    assert len(told.splitlines()) == 1


def test_two_watches_on_one_inbox_are_refused(run: Run, inbox: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = Inbox(inbox)
    assert main(["watch", str(run.folder), "--inbox", str(inbox), "--once"]) == BAD_INPUT
    assert "is being watched already" in capsys.readouterr().err
    other.close()


def test_an_empty_list_of_rules_is_said(
    run: Run, inbox: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rules = tmp_path / "rules.json"
    rules.write_text("[]")
    assert main(["watch", str(run.folder), "--inbox", str(inbox), "--once", "--json", "--rules", str(rules)]) == DONE
    told = capsys.readouterr()
    assert json.loads(told.out.splitlines()[-1])["alerts"] == []
    assert "rings for nothing" in told.err


def test_an_alert_is_sought_in_the_inbox_that_is_named(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same id in two inboxes and another one in the second only."""
    first, second = tmp_path / "first", tmp_path / "second"
    for box, ids in ((first, ["3-alike"]), (second, ["3-alike", "9-drift"])):
        folder = place.inbox_folder(run, box)
        with Log(folder / place.ALERTS) as log:
            log.append(written([Alert(name, 0.0, "model", {"file": "m", "before": "", "after": ""}) for name in ids]))
        write_json(folder / place.ABOUT, {"inbox": str(box), "classes": []})

    def listed(*more: str) -> list[tuple[str, str, bool]]:
        assert main(["watch", str(run.folder), "--alerts", "--json", *more]) == DONE
        found = json.loads(capsys.readouterr().out)["alerts"]
        return [(one["inbox"], one["id"], one["acknowledged"] is not None) for one in found]

    assert main(["watch", str(run.folder), "--acknowledge", "3-alike"]) == BAD_INPUT
    told = capsys.readouterr().err
    assert str(first) in told
    assert str(second) in told
    assert [done for _, _, done in listed()] == [False, False, False]
    assert main(["watch", str(run.folder), "--acknowledge", "3-alike", "--inbox", str(second)]) == DONE
    assert main(["watch", str(run.folder), "--acknowledge", "9-drift"]) == DONE  # there is but one
    capsys.readouterr()
    assert listed("--inbox", str(first)) == [(str(first), "3-alike", False)]
    assert listed("--inbox", str(second)) == [(str(second), "3-alike", True), (str(second), "9-drift", True)]
    assert main(["watch", str(run.folder), "--acknowledge", "9-drift", "--inbox", str(first)]) == BAD_INPUT
    assert main(["watch", str(run.folder), "--alerts"]) == DONE
    assert str(second) in capsys.readouterr().out


def test_where_alerts_go_is_taken_from_the_environment_and_from_the_argument_first(
    run: Run, inbox: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    no_worker_starts: Started,
) -> None:  # fmt: skip
    monkeypatch.setitem(sys.modules, "apprise", SimpleNamespace(Apprise=lambda: SimpleNamespace(add=bool)))
    given = [str(run.folder), "--inbox", str(inbox), "--victim"]
    watched(capsys, *given)
    assert no_worker_starts == []
    monkeypatch.setenv("DISSOLVE_SEND", "json://from.the.environment")
    watched(capsys, *given)
    watched(capsys, *given, "--send", "json://from.the.argument", "--language", "ja")
    asked = [each["DISSOLVE_SEND"] for each in no_worker_starts.environments]
    assert asked == ["json://from.the.environment", "json://from.the.argument"]
    folder = str(place.inbox_folder(run, inbox))
    assert no_worker_starts[1] == ["core.watch.sending", folder, "one", "digits", "ja"]
    assert not any("from.the" in word for command in no_worker_starts for word in command)
    monkeypatch.setenv("DISSOLVE_SEND", "")
    watched(capsys, *given)
    assert len(no_worker_starts) == 2


def test_what_is_not_sent_is_said_with_the_reason(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    box = tmp_path / "box"
    box.mkdir()
    folder = place.inbox_folder(run, box)
    found = written([Alert(f"{n}-model", 0.0, "model", {"file": "m", "before": "", "after": ""}) for n in range(3)])
    with Log(folder / place.ALERTS) as log:
        log.append([{**entry, "send": True} for entry in found])
        log.append([{"kind": "unsent", "id": f"{n}-model", "t": 1.0, "why": "ConnectionError"} for n in range(3)])
        log.append([{"kind": "sent", "id": "0-model", "t": 2.0}])
    write_json(folder / place.ABOUT, {"inbox": str(box), "classes": []})
    assert main(["watch", str(run.folder), "--alerts"]) == DONE
    assert capsys.readouterr().out.count("to be sent (ConnectionError)") == 2
    assert main(["watch", str(run.folder), "--inbox", str(box), "--once"]) == DONE
    (line,) = (line for line in capsys.readouterr().err.splitlines() if "could not be sent" in line)
    assert "2 (ConnectionError)" in line


def test_no_example_shows_a_password_in_an_argument() -> None:
    command = argparse.ArgumentParser()
    watch_arguments(command)
    assert "DISSOLVE_SEND" in str(command.epilog)
    assert not any("python -m core" in line and "://" in line for line in str(command.epilog).splitlines())
