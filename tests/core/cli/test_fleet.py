"""``fleet``: what it prints and writes, the object for programs, and what is refused in one sentence."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from core.cli import parser as cli
from core.fleet import place
from tests.core.fleet import made_up
from tests.core.fleet.conftest import fake, home, models

__all__ = ["fake", "home", "models"]  # fixtures


def test_the_object_on_the_last_line_and_the_files(
    fake: Path, models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "fleet"
    assert cli.main(["fleet", str(models), "--images", "digits", "--out", str(out), "--workers", "2", "--json"]) == 0
    printed, err = capsys.readouterr()
    (line,) = printed.splitlines()
    found = json.loads(line, parse_constant=lambda name: pytest.fail(name))
    assert (found["engine"], found["workers"], len(found["models"])) == ("local", 2, 5)
    assert err == ""
    table = pd.read_csv(out / "fleet.csv")
    assert table["file"].tolist() == [model["file"] for model in found["models"]]
    assert table["rank"].tolist() == [1, 2, 3, 4, 5]
    assert (out / "fleet.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert json.loads((out / "fleet.json").read_bytes())["models"][0]["file"] == found["models"][0]["file"]


def test_people_are_told_the_ranking_with_the_next_steps(
    fake: Path, models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["fleet", str(models), "--images", "digits", "--purify"]) == 0
    out = capsys.readouterr().out
    for said in ("strong-3.pt", "3 (three)", "holds", "Take the purified model into use", "broken.pt is broken.",
                 "5 models: 2 with strong signs, 1 with some, 1 without", "1 that could not be looked at"):  # fmt: skip
        assert said in out
    assert [folder.name for folder in place.fleets()] == ["models"]


def test_the_summary_is_in_the_language_asked_for(fake: Path, models: Path, tmp_path: Path) -> None:
    assert cli.main(["fleet", str(models), "--images", "digits", "--out", str(tmp_path / "f"), "--lang", "ja"]) == 0
    assert 'lang="ja"' in (tmp_path / "f" / "fleet.html").read_text(encoding="utf-8")


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert cli.main(["fleet", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    return err


def test_what_is_wrong_with_all_models_is_one_sentence_and_leaves_nothing_behind(
    fake: Path, models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given, out = str(models), ["--out", str(tmp_path / "fleet")]
    for arguments, says in (
        ([given], "needs --images"),
        ([given, "--images", "/nowhere"], "/nowhere"),
        ([given, "--images", "digits", "--engine", "moon"], "no engine 'moon'; use one of local, dask"),
        ([given, "--images", "digits", "--engine-address", "tcp://there:1"], "add --engine dask"),
        ([given, "--images", "digits", "--workers", "0"], "workers 0"),
        ([given, "--images", "digits", "--seed", "-1"], "-1"),
        ([given, "--images", "digits", "--device", "abacus"], "abacus"),
        ([f"{given}/none.pt", "--images", "digits"], "single file"),
        ([f"{given}/gone", "--images", "digits"], "gone"),
    ):
        assert says in refused(capsys, *arguments, *out)
        assert not (tmp_path / "fleet").exists()
    assert not fake.exists()


def test_a_pdf_that_cannot_be_made_is_told_before_the_work(
    fake: Path, no_browser: Path, models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "Chromium" in refused(capsys, str(models), "--images", "digits", "--pdf")
    assert not fake.exists()


def test_a_folder_of_others_and_another_order_are_refused(
    fake: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = str(made_up.models(tmp_path / "models", ("none.pt",)))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").touch()
    assert "something else" in refused(capsys, given, "--images", "digits", "--out", str(tmp_path / "mine"))
    out = ["--out", str(tmp_path / "fleet")]
    assert cli.main(["fleet", given, "--images", "digits", *out]) == 0
    capsys.readouterr()
    assert "seed 0" in refused(capsys, given, "--images", "digits", "--seed", "1", *out)


def test_a_cure_that_was_not_handed_out_has_an_exit_code_of_its_own(
    fake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = str(made_up.models(tmp_path / "models", ("withheld-3.pt",)))
    assert cli.main(["fleet", given, "--images", "digits", "--purify"]) == 3
