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
from tests.core.cli.made_up import RESULT, only_run, pipeline, raising, use

pytestmark = pytest.mark.usefixtures("home")


# what is told


def test_purify_without_arguments_runs_the_default_victim(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["purify"]) == 0
    run = only_run()
    assert (run.spec.victim, run.spec.images, run.status) == ("signs-badnets", "signs", "done")
    out, err = capsys.readouterr()
    for named in ("Target class 3 (80)", "99.50", "96.50", "(true)", "model.safetensors", run.id):
        assert named in out
    assert err == ""  # nobody watches


def test_json_is_one_strict_object_on_the_last_line_with_the_promised_keys(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["purify", "--json", "--out", str(tmp_path / "mine")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1
    data = json.loads(lines[0], parse_constant=lambda name: pytest.fail(name))
    assert data == {
        "target": 3, "target_found": 3, "anomaly_index": 4.25, "verdict": "strong", "evidence": {"gap": 3.1},
        "asr_kind": "true", "ba_before": 97.0, "ba_after": 96.5, "asr_before": 99.5, "asr_after": None,
        "cure": "holds", "cure_reasons": [], "proof": {"true": {"asr": 0.3}},
        "stamps": None, "arch": "small", "names": {"body.weight": "fc.weight"}, "normalize": "half",
        "seconds": {"load": 0.5, "scan": 9.0}, "device": "cpu", "out": str(tmp_path / "mine"),
    }  # fmt: skip


def test_accuracy_that_could_not_be_held_has_an_exit_code_of_its_own(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(RESULT, "ba_held", False)
    assert cli.main(["purify"]) == 3
    assert "stays as it was" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("cure", "reasons", "flags", "code", "says"),
    [
        ("holds", [], "", 0, ("The cure holds.", "+ The real trigger", "in stages")),
        ("doubt", ["path"], "", 0, ("in doubt", "- A short way back", "+ The real", "in this state", "out of use")),
        ("failed", ["true"], "", 3, ("Not cured.", "- The real trigger", "Nothing was handed out", "do not use")),
        ("failed", ["true"], "--accept not-cured", 0, ("Not cured.", "as asked for")),
        (None, None, "", 0, ("No proof of the cure", "purify again")),
    ],
)
def test_the_cure_is_graded_with_its_reasons_and_the_next_step(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    cure: str | None, reasons: list[str] | None, flags: str, code: int, says: tuple[str, ...],
) -> None:  # fmt: skip
    monkeypatch.setitem(RESULT, "cure", cure)
    monkeypatch.setitem(RESULT, "cure_reasons", reasons)
    assert cli.main(["purify", *flags.split()]) == code
    out = capsys.readouterr().out
    assert not [one for one in says if one not in out]
    assert ("The cure holds" in out) is (cure == "holds")
    assert only_run().spec.accept == flags.removeprefix("--accept ")


def test_a_scan_has_no_cure_to_tell_of(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RESULT, "cure", None)
    assert cli.main(["scan"]) == 0
    assert "of the cure" not in capsys.readouterr().out


def test_only_what_is_not_cured_can_be_accepted(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["purify", "--accept", "anything"]) == 2
    assert "use one of not-cured" in capsys.readouterr().err


def test_a_defence_without_a_scan_says_so_and_names_no_target(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in ("target", "target_found", "anomaly_index", "verdict"):
        monkeypatch.setitem(RESULT, key, None)
    assert cli.main(["purify", "--defence", "ft"]) == 0
    assert only_run().spec.defence == "ft"
    out = capsys.readouterr().out
    assert "No scan was made" in out
    assert "Target class" not in out


@pytest.fixture
def stranger(tmp_path: Path) -> list[str]:
    (tmp_path / "theirs.pth").write_bytes(b"weights")
    return ["purify", str(tmp_path / "theirs.pth"), "--images", "digits"]


def test_a_strangers_model_is_told_with_what_it_was_taken_for(
    stranger: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(stranger) == 0
    out = capsys.readouterr().out
    told_first = "Network small, input scaling half (99.4 % of"
    for told in (told_first, "next: mnist (99.0 %)", "Weights under net.", "used: 500\n"):
        assert told in out


def test_what_copies_fell_back_on_is_a_reason_for_caution(
    stranger: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli.main(stranger) == 0
    assert "unlearn" not in capsys.readouterr().out
    for key, value in {"verdict": "none", "stamps": "beside", "evidence": {"fallen_back": 81.4}}.items():
        monkeypatch.setitem(RESULT, key, value)
    assert cli.main(stranger) == 0
    assert "fell back on that class in 81 %" in capsys.readouterr().out


def test_warps_that_lead_to_a_class_are_told(
    stranger: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for key, value in {"verdict": "some", "stamps": "beside", "evidence": {"warped": 83.4}}.items():
        monkeypatch.setitem(RESULT, key, value)
    assert cli.main(stranger) == 0
    out = capsys.readouterr().out
    for told in ("Some signs", "Target class 3 (80)", "83 % were read as that class", "may differ from the real one"):
        assert told in out
    assert "no sign" not in out


def test_without_a_sign_nothing_is_called_a_target(
    stranger: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for key, value in {"verdict": "none", "stamps": "alone", "asr_kind": "estimated"}.items():
        monkeypatch.setitem(RESULT, key, value)
    assert cli.main(stranger) == 0
    out = capsys.readouterr().out
    for told in ("no finding: class 3 (80)", "random stamps", "every network has one"):
        assert told in out
    assert "attack success" not in out
    assert "Target class" not in out


def test_a_target_that_was_given_is_told_from_the_one_found(
    stranger: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(RESULT, "target", 1)
    assert cli.main([*stranger, "--target", "1"]) == 0
    out = capsys.readouterr().out
    assert "Target class 3 (80), anomaly index 4.25" in out
    assert "of class 1 (" in out
    assert "run again without --target" in out


def test_scan_changes_nothing_and_its_json_has_the_same_keys(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["scan", "--victim", "digits-sig", "--json"]) == 0
    assert {"target", "anomaly_index", "ba_after", "out"} <= json.loads(capsys.readouterr().out).keys()
    assert only_run().spec.scan_only
    assert only_run().frame_count == 0


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
