from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from core import paths
from core.cli.options import BAD_INPUT, DONE
from core.cli.parser import main
from core.report.account import kept
from core.runs.record import Run


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A recording, in a home where nothing was given yet."""
    monkeypatch.setenv("DISSOLVE_HOME", str(tmp_path))
    return Run(paths.RECORDINGS / "digits-badnets")


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict:  # type: ignore[type-arg]
    assert main(["account", *arguments, "--json"]) == DONE
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_a_step_is_measured_once_and_rates_are_kept(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    first = told(capsys, run.id, "--machine-hour", "2", "--image", "0.1", "--currency", "€", "--epochs", "10")
    step = first["training_step"]
    assert step["seconds"] > 0
    assert (step["batch"], step["arch"], step["device"]) == (128, "small", step["device"])
    assert first["steps"] == 10 * (step["images"] // 128)
    assert first["anew"]["seconds"] == pytest.approx(first["steps"] * step["seconds"])
    spent = run.snapshot().result
    assert first["purified"]["seconds"] == pytest.approx(sum(spent["seconds"].values()))
    assert first["purified"]["images"] == spent["clean_images"]
    assert first["saved"] == pytest.approx(first["anew"]["money"] - first["purified"]["money"])
    assert first["risk"]["cure"] == spent["cure"]
    again = told(capsys, run.id, "--lang", "ja")
    assert again["training_step"] == step, "not measured again"
    assert again["given"] == first["given"]
    assert again["phrases"] != first["phrases"]
    assert kept(run)[0].currency == "€"
    assert [check["done"] for check in again["checklist"]] == [True, True, True, True, False, False]
    assert main(["account", run.id]) == DONE
    assert "€" in capsys.readouterr().out


def test_no_account_is_given_of_a_result_that_was_swapped(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copied = Run(shutil.copytree(run.folder, tmp_path / "copied"))
    (copied.folder / "model.safetensors").write_bytes(b"another")
    data = json.loads((copied.folder / "run.json").read_text())
    (copied.folder / "run.json").write_text(json.dumps(data | {"outputs": {"model.safetensors": "0" * 64}}))
    assert main(["account", str(copied.folder)]) == BAD_INPUT
    assert "is not the one that the run" in capsys.readouterr().err


def test_a_rate_that_cannot_be_is_refused(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["account", run.id, "--image", "-1"]) == BAD_INPUT
    assert len(capsys.readouterr().err.splitlines()) == 1
