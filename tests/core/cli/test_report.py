from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from core import paths, report
from core.cli import parser as cli
from core.runs import hashes, record
from core.runs.spec import Spec
from tests.core.report.conftest import PRINTED, stand_in


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DISSOLVE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_a_recording_is_reported_into_the_users_own_folder(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["report", "signs-badnets"]) == 0
    out = capsys.readouterr().out
    path = home / "reports" / "signs-badnets" / "report.html"
    assert str(path) in out
    assert "Strong signs of a backdoor." in out
    assert f"May it be used? {report.wording(record.open('signs-badnets')).recommendation()}" in out
    assert path.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert not (paths.RECORDINGS / "signs-badnets" / "report.html").exists()


def test_language_folder_and_json(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(paths.RECORDINGS / "signs-wanet")
    assert cli.main(["report", folder, "--lang", "ja", "--out", str(tmp_path / "new"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["html"] == str(tmp_path / "new" / "report.ja.html")
    assert told["pdf"] is None
    assert told["recommendation"] == "purified"
    assert told["reasons"] == ["purified", "target_lost"]
    assert told["verdict"] == "strong"
    assert "用途に照らして十分か" in Path(told["html"]).read_text(encoding="utf-8")


def test_a_pdf_lies_beside_the_page(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DISSOLVE_BROWSER", str(stand_in(tmp_path / "bin", PRINTED)))
    assert cli.main(["report", "signs-badnets", "--pdf", "--out", str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines()[-2:] == [str(tmp_path / "report.html"), str(tmp_path / "report.pdf")]
    assert (tmp_path / "report.pdf").read_bytes() == b"%PDF" + (tmp_path / "report.html").read_bytes()


@pytest.mark.parametrize("run", ["no-such-run", "last", "", "/"])
def test_a_run_that_is_not_there_is_told_in_one_sentence(
    home: Path, capsys: pytest.CaptureFixture[str], run: str
) -> None:
    assert cli.main(["report", run]) == 2
    told = capsys.readouterr().err
    assert len(told.splitlines()) == 1
    assert told.strip().endswith((".", "purify"))


def test_a_language_that_is_not_there_is_told_in_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(["report", "signs-badnets", "--lang", "xx"])
    assert end.value.code == 2
    assert "xx" in capsys.readouterr().err


def test_without_a_browser_the_page_is_written_all_the_same(
    home: Path, no_browser: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["report", "signs-badnets", "--pdf", "--out", str(tmp_path)]) == 2
    assert "install Chromium" in capsys.readouterr().err
    assert (tmp_path / "report.html").exists()


def test_a_run_whose_files_were_swapped_is_not_reported(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = tmp_path / "bought.pth"
    weights.write_bytes(b"weights")
    photos = tmp_path / "photos.npz"
    photos.write_bytes(b"photos")
    run = record.create(Spec(weights=str(weights), images=str(photos)))
    run.update(inputs=hashes.bind(run).hashes, status="done")
    assert cli.main(["report", run.id]) == 0
    assert hashlib.sha256(b"weights").hexdigest() in (run.folder / "report.html").read_text(encoding="utf-8")
    (run.folder / "report.html").unlink()
    for file in (photos, weights):
        before = file.read_bytes()
        file.write_bytes(b"another")
        capsys.readouterr()
        assert cli.main(["report", run.id]) == 2
        told = capsys.readouterr().err.splitlines()
        assert len(told) == 1
        assert str(file) in told[0]
        assert not (run.folder / "report.html").exists()
        file.write_bytes(before)
