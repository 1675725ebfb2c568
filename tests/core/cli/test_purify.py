"""``purify`` and ``scan``: the order they give, what is told of its result, exit codes, and the JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.cli import parser as cli
from core.errors import BadInput
from core.events import Event, StageStarted
from core.runs import record
from core.runs.record import Run
from tests.core.cli.made_up import only_run, pipeline, raising, use

pytestmark = pytest.mark.usefixtures("home")


# the order


def test_every_option_reaches_the_spec(tmp_path: Path) -> None:
    weights, photos = tmp_path / "net.pth", tmp_path / "photos"
    weights.write_bytes(b"")
    photos.mkdir()
    command = (
        f"purify {weights} --images {photos} --arch wrn16-1 --normalize half --clean-budget 200 --target 3 --seed 7 "
        f"--device cpu --preset published --projection pca --dims 3 --points 60 --no-map --set epochs=2 "
        "--set lr=[0.1,0.01]"
    )
    assert cli.main(command.split()) == 0
    spec = only_run().spec
    assert (spec.weights, spec.images, spec.victim) == (str(weights), str(photos), None)
    assert (spec.arch, spec.normalize, spec.clean_budget, spec.target, spec.seed) == ("wrn16-1", "half", 200, 3, 7)
    assert (spec.device, spec.preset, spec.projection, spec.dims, spec.points) == ("cpu", "published", "pca", 3, 60)
    assert spec.settings == {"epochs": 2, "lr": [0.1, 0.01]}
    assert not spec.map


def test_the_scan_of_the_last_run_is_taken_over_by_its_id() -> None:
    assert cli.main(["scan"]) == 0
    scan = only_run()
    assert cli.main(["purify", "--scan-of", "last"]) == 0
    newest = record.list_runs(recordings=False)[0]
    assert newest.spec.scan_of == scan.id != newest.id


def test_without_a_budget_a_strangers_small_set_is_not_cut_to_a_handful(tmp_path: Path) -> None:
    weights, photos = tmp_path / "model.pth", tmp_path / "photos"
    weights.write_bytes(b"")
    photos.mkdir()
    for words in ("", "--clean-budget 0.05"):
        cli.main(f"purify {weights} --images {photos} {words}".split())
    assert [(run.spec.clean_budget, run.spec.enough) for run in reversed(record.list_runs(recordings=False))] == [
        (0.05, True),
        (0.05, False),
    ]


@pytest.mark.parametrize(("text", "budget"), [("0.05", 0.05), ("5%", 0.05), ("1e-2", 0.01), ("500", 500)])
def test_the_clean_budget_is_a_share_or_a_number_of_images(text: str, budget: float) -> None:
    assert cli.main(["purify", "--clean-budget", text]) == 0
    given = only_run().spec.clean_budget
    assert given == pytest.approx(budget)
    assert isinstance(given, type(budget))


def test_a_shipped_victim_may_stand_in_place_of_weights() -> None:
    assert cli.main(["purify", "digits-sig"]) == 0
    assert (only_run().spec.victim, only_run().spec.images) == ("digits-sig", "digits")


# runs that do not end well


def test_bad_input_found_while_running_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    use(monkeypatch, raising(BadInput("weights_do_not_fit", "The weights do not fit small.", arch="small")))
    for _ in range(2):  # the same --out serves again
        assert cli.main(["purify", "--out", str(tmp_path / "mine")]) == 2
        assert capsys.readouterr() == ("", "The weights do not fit small.\n")
    assert not (tmp_path / "mine").exists()
    assert record.list_runs() == []


def test_a_fault_of_ours_is_exit_code_1_and_the_run_stays(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    use(monkeypatch, raising(ZeroDivisionError("oops")))
    assert cli.main(["purify"]) == 1
    assert "ZeroDivisionError: oops" in capsys.readouterr().err
    assert only_run().status == "failed"


def test_a_full_disk_is_exit_code_1_with_its_sentence_and_the_run_stays(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    use(monkeypatch, raising(OSError(28, "No space left on device")))
    assert cli.main(["purify"]) == 1
    assert "disk" in capsys.readouterr().err
    assert only_run().status == "failed"


def test_ctrl_c_stops_the_run_and_says_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    use(monkeypatch, raising(KeyboardInterrupt()))
    assert cli.main(["purify"]) == 130
    run = only_run()
    assert run.status == "stopped"
    err = capsys.readouterr().err
    assert str(run.folder) in err
    assert f"runs resume {run.id}" in err


def test_an_out_folder_in_use_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    assert cli.main(["purify", "--out", str(tmp_path)]) == 2
    assert "not empty" in capsys.readouterr().err
    assert (tmp_path / "thesis.txt").exists()


def test_what_there_is_to_say_of_the_images_is_said_before_the_work(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told: list[str] = []

    def noted(run: Run, steering: Any) -> Iterator[Event]:
        run.update(notes=["3 of 9 files were left out."])
        yield StageStarted("measure")
        told.append(capsys.readouterr().err)
        yield from pipeline(run, steering)

    use(monkeypatch, noted)
    assert cli.main(["scan", "--json"]) == 0
    assert told == ["3 of 9 files were left out.\n"]
    assert json.loads(capsys.readouterr().out)["verdict"] == "strong"
