"""``rollout``: what it prints, and what it says of bad input; the roll-out itself is tested beside its modules."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from core.cli.options import BAD_INPUT, DONE
from core.cli.parser import main
from core.data import load
from core.data.imageset import as_float
from core.rollout import place
from core.rollout.service import Rollout
from core.runs.record import Run
from core.victims import card_of, trigger_of
from tests.core.watch.conftest import finished, put

CLEAN, BAD = 30, 4


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    return finished(tmp_path, monkeypatch)


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    """30 images, and 4 with the sticker."""
    folder = tmp_path / "inbox"
    images = load("digits")
    other = images.y_test != card_of("digits-badnets").target
    bad = trigger_of(card_of("digits-badnets"), images.size)(as_float(images.x_test[other][-BAD:]))
    for number, image in enumerate(torch.cat([as_float(images.x_test[:CLEAN]), bad])):
        put(folder, f"{number:02}.png", image)
    lines = [f"{number:02}.png,{label}" for number, label in enumerate(images.y_test[:CLEAN].tolist())]
    (tmp_path / "labels.csv").write_text("\n".join(["file,label", *lines]))
    return folder


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict:  # type: ignore[type-arg]
    assert main(["rollout", *arguments, "--json"]) == DONE
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_an_inbox_is_answered_once_and_the_stages_are_walked(
    run: Run, inbox: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name, labels = str(run.folder), str(tmp_path / "labels.csv")
    limits = ("--images", "20", "--disagreement", "40", "--labels", labels)
    first = told(capsys, name, "--inbox", str(inbox), "--once", *limits)
    assert (first["stage"], first["images"], len(first["answers"])) == ("shadow", CLEAN + BAD, CLEAN + BAD)
    assert first["tally"]["labelled"] >= CLEAN - 3
    assert (first["decision"], first["reasons"][0]["key"]) == ("on", "agrees")
    assert "limit of 40 %" in first["reasons"][0]["sentence"].replace("\N{NO-BREAK SPACE}", " ")
    assert first["answers"]["33.png"] == str(card_of("digits-badnets").target)
    again = told(capsys, name, "--inbox", str(inbox), "--once")
    assert (again["answers"], again["images"], again["rule"]["images"]) == ({}, CLEAN + BAD, 20)
    assert told(capsys, name, "--go", "on")["stage"] == "share"
    (inbox / "broken.png").write_bytes(b"no picture")
    put(inbox, "new.png", load("digits").x_test[50])
    later = told(capsys, name, "--inbox", str(inbox), "--once", "--auto", "--images", "1")
    assert list(later["answers"]) == ["new.png"]
    assert later["waiting"] + len(later["unreadable"]) == 1
    capsys.readouterr()
    assert main(["rollout", name, "--language", "ja"]) == DONE
    assert "一部適用" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "has no roll-out yet"),
        (["--go", "on"], "has no roll-out yet"),
        (["--inbox", "{tmp}/none", "--once"], "There is no folder"),
        (["--inbox", "{tmp}", "--once", "--share", "120"], "share"),
        (["--inbox", "{tmp}", "--once", "--labels", "{tmp}/none.csv"], "columns file and label"),
    ],
)
def test_what_cannot_be_is_said_in_one_sentence(
    run: Run, tmp_path: Path, arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["rollout", str(run.folder), *(part.format(tmp=tmp_path) for part in arguments)]) == BAD_INPUT
    said = capsys.readouterr().err
    assert sentence in said
    assert len(said.splitlines()) == 1


def test_two_on_one_run_are_refused(run: Run, inbox: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Rollout(run):
        assert main(["rollout", str(run.folder), "--inbox", str(inbox), "--once"]) == BAD_INPUT
    assert "held by another process" in capsys.readouterr().err


def test_a_tampered_state_is_refused(run: Run, inbox: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Rollout(run).close()
    path = place.folder_of(run) / place.STATE
    path.write_text(path.read_text().replace('"stage": "shadow"', '"stage": "all"'))
    for more in ([], ["--go", "on"], ["--inbox", str(inbox), "--once"]):
        assert main(["rollout", str(run.folder), *more]) == BAD_INPUT
        assert "damaged or was changed" in capsys.readouterr().err
