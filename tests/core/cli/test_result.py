"""What is told of a run that has ended: the summary, exit codes that it decides, and the JSON for programs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.cli import parser as cli
from tests.core.cli.conftest import EndWith
from tests.core.cli.made_up import only_run

pytestmark = pytest.mark.usefixtures("home")


def test_purify_without_arguments_runs_the_default_victim(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["purify"]) == 0
    run = only_run()
    assert (run.spec.victim, run.spec.images, run.status) == ("signs-badnets", "signs", "done")
    out, err = capsys.readouterr()
    for named in ("Target class 3 (80)", "99.50", "96.50", "(true)", "model.safetensors", run.id):
        assert named in out
    assert "“80” is the class the attacker chose." in out, "what report and page say of the evidence"
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
        "cure": "holds", "cure_reasons": [], "proof": {"true": {"asr": 0.3}}, "purifications": None,
        "stamps": None, "arch": "small", "names": {"body.weight": "fc.weight"}, "normalize": "half",
        "seconds": {"load": 0.5, "scan": 9.0}, "device": "cpu", "out": str(tmp_path / "mine"),
    }  # fmt: skip


def test_accuracy_that_could_not_be_held_has_an_exit_code_of_its_own(
    capsys: pytest.CaptureFixture[str], end_with: EndWith
) -> None:
    end_with(ba_held=False)
    assert cli.main(["purify"]) == 3
    assert "Nothing was handed out, as accuracy could not be held." in capsys.readouterr().out


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
    capsys: pytest.CaptureFixture[str], end_with: EndWith,
    cure: str | None, reasons: list[str] | None, flags: str, code: int, says: tuple[str, ...],
) -> None:  # fmt: skip
    end_with(cure=cure, cure_reasons=reasons)
    assert cli.main(["purify", *flags.split()]) == code
    out = capsys.readouterr().out
    assert not [one for one in says if one not in out]
    assert ("The cure holds" in out) is (cure == "holds")
    assert only_run().spec.accept == flags.removeprefix("--accept ")


def test_a_scan_has_no_cure_to_tell_of(capsys: pytest.CaptureFixture[str], end_with: EndWith) -> None:
    end_with(cure=None)
    assert cli.main(["scan"]) == 0
    assert "of the cure" not in capsys.readouterr().out


def test_only_what_is_not_cured_can_be_accepted(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["purify", "--accept", "anything"]) == 2
    assert "use one of not-cured" in capsys.readouterr().err


def test_a_defence_without_a_scan_says_so_and_names_no_target(
    capsys: pytest.CaptureFixture[str], end_with: EndWith
) -> None:
    end_with(target=None, target_found=None, anomaly_index=None, verdict=None)
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
    stranger: list[str], capsys: pytest.CaptureFixture[str], end_with: EndWith
) -> None:
    assert cli.main(stranger) == 0
    assert "unlearn" not in capsys.readouterr().out
    end_with(verdict="none", stamps="beside", asr_kind="estimated", evidence={"fallen_back": 81.4})
    assert cli.main(stranger) == 0
    assert "fell back on “80” in 81 %" in capsys.readouterr().out


def test_warps_that_lead_to_a_class_are_told(
    stranger: list[str], capsys: pytest.CaptureFixture[str], end_with: EndWith
) -> None:
    end_with(verdict="some", stamps="beside", evidence={"warped": 83.4})
    assert cli.main(stranger) == 0
    out = capsys.readouterr().out
    for told in ("Some signs", "Target class 3 (80)", "83 % were read as “80”", "may differ from the real one"):
        assert told in out
    assert "no sign" not in out


def test_without_a_sign_nothing_is_called_a_target(
    stranger: list[str], capsys: pytest.CaptureFixture[str], end_with: EndWith
) -> None:
    end_with(verdict="none", stamps="alone", asr_kind="estimated")
    assert cli.main(stranger) == 0
    out = capsys.readouterr().out
    for told in ("no finding: class 3 (80)", "random stamps", "every network has one"):
        assert told in out
    assert "attack success, %" not in out
    assert "Target class" not in out


def test_a_target_that_was_given_is_told_from_the_one_found(
    stranger: list[str], capsys: pytest.CaptureFixture[str], end_with: EndWith
) -> None:
    end_with(target=1)
    assert cli.main([*stranger, "--target", "1"]) == 0
    out = capsys.readouterr().out
    assert "Target class 3 (80), anomaly index 4.25" in out
    assert "are of “give way”, which was given" in out
    assert "run again without --target" in out


def test_scan_changes_nothing_and_its_json_has_the_same_keys(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["scan", "--victim", "digits-sig", "--json"]) == 0
    assert {"target", "anomaly_index", "ba_after", "out"} <= json.loads(capsys.readouterr().out).keys()
    assert only_run().spec.scan_only
    assert only_run().frame_count == 0
