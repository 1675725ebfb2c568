"""The command line, called in this process: exit codes, sentences, and the JSON that other programs read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from core import cli, paths, victims
from core.commands import images, runs, terminal
from core.errors import BadInput
from core.events import Event, Finished, Frame, Measured, Progress, Scanned, StageStarted, Step
from core.runs import record, supervisor, worker
from core.runs.record import Run
from core.runs.steering import Steering

ROOT = Path(__file__).parents[2]
RESULT = {
    "target": 3, "anomaly_index": 4.25, "verdict": "strong", "asr_kind": "true", "ba_before": 97.0, "ba_after": 96.5,
    "evidence": {"gap": 3.1}, "clean_images": 500,
    "asr_before": 99.5, "asr_after": float("nan"), "seconds": {"load": 0.5, "scan": 9.0}, "device": "cpu",
    "target_found": 3, "back": 0.05, "stamps": None, "arch": "small", "normalize": "half", "of_the_future": 1,
    "tried": [{"name": "half", "accuracy": 99.4}, {"name": "mnist", "accuracy": 99.0}],
    "found": [{"code": "under", "message": "Weights under net.", "facts": {}}],
}  # fmt: skip


def pipeline(run: Run, steering: Steering) -> Iterator[Event]:
    """Two frames and a result, as the real one would give them."""
    run.update(classes=["stop", "give way", "30", "80"])
    yield StageStarted("scan")
    yield Progress("scan", 1, 2, 3.0)
    yield Scanned(3, 4.25, [9.0, 8.0, 9.0, 1.0], [1.0] * 4, "trigger.npz")
    if not run.spec.scan_only:
        yield StageStarted("purify")
        for index, asr in enumerate((99.5, 4.0)):
            file = run.write_frame(index, np.zeros((3, 2)), [0] * 3, [0] * 3)
            yield Step(index, 2, 0.1, {"mcl": 1.0})
            yield Frame(index, index * 4, file, 97.0, asr, "true", 100 - asr, 0.9)
        (run.folder / "model.safetensors").write_bytes(b"")
    yield Measured("after", 96.5, 96.0, 4.0, "true", 10, 9)
    yield Finished(RESULT)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with two shipped victims, and a pipeline that needs no torch."""
    monkeypatch.setenv("DISSOLVE_HOME", str(tmp_path / "home"))
    for name in ("VICTIMS", "RECORDINGS"):
        (tmp_path / name).mkdir()
        monkeypatch.setattr(paths, name, tmp_path / name)
    for victim, data in (("signs-badnets", "signs"), ("digits-sig", "digits")):
        (tmp_path / "VICTIMS" / f"{victim}.json").write_text(json.dumps(asdict(card(victim, data))))
    use(monkeypatch, pipeline)
    return tmp_path / "home" / "runs"


def card(name: str, data: str) -> victims.Card:
    return victims.Card(
        name=name, data=data, attack="badnets", attack_settings={}, target=3, target_name="80", arch="small", classes=4,
        mean=(0, 0, 0), std=(1, 1, 1), seed=0, poison_rate=0.1, training={}, train_images=1, ba=97.0, asr=99.0,
        sha256="",
    )  # fmt: skip


def use(monkeypatch: pytest.MonkeyPatch, made_up: Any) -> None:
    monkeypatch.setattr(worker, "work", partial(WORK, pipeline=made_up))


WORK = worker.work


def raising(error: BaseException) -> Any:
    def fails(run: Run, steering: Steering) -> Iterator[Event]:
        yield StageStarted("load")
        raise error

    return fails


def only_run() -> Run:
    (run,) = record.list_runs()
    return run


# purify and scan


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
        "back": 0.05, "stamps": None, "arch": "small", "normalize": "half", "seconds": {"load": 0.5, "scan": 9.0},
        "device": "cpu", "out": str(tmp_path / "mine"),
    }  # fmt: skip


def test_accuracy_that_could_not_be_held_has_an_exit_code_of_its_own(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(RESULT, "ba_held", False)
    assert cli.main(["purify"]) == 3
    assert "stays as it was" in capsys.readouterr().out


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


def test_a_long_way_back_is_told(
    stranger: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli.main(stranger) == 0
    assert "way back" not in capsys.readouterr().out
    monkeypatch.setitem(RESULT, "back", 0.6)
    monkeypatch.setitem(RESULT, "asr_kind", "estimated")
    assert cli.main(stranger) == 0
    out = capsys.readouterr().out
    assert "taken 60 % of the way back" in out
    assert "the estimate does not see that" in out


def test_what_copies_fell_back_on_is_a_reason_for_caution(
    stranger: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli.main(stranger) == 0
    assert "unlearn" not in capsys.readouterr().out
    for key, value in {"verdict": "none", "stamps": "beside", "evidence": {"fallen_back": 81.4}}.items():
        monkeypatch.setitem(RESULT, key, value)
    assert cli.main(stranger) == 0
    assert "fell back on that class in 81 %" in capsys.readouterr().out


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


@pytest.mark.parametrize(
    ("command", "named"),
    [
        ("purify /no/weights.pt --images signs", "/no/weights.pt"),
        ("purify --victim nobody", "'nobody'"),
        ("purify --images /no/images", "/no/images"),
        ("purify --device abacus --dims 9", "'abacus'"),
        ("purify --clean-budget 1.5", "1.5"),
        ("purify --clean-budget some", "'some' is neither a share"),
        ("purify core --images signs", "There is no file core that can be read"),
        ("purify ~nobody-of-this-name/w.pt --images signs", "~nobody-of-this-name/w.pt"),
        ("data ~nobody-of-this-name/x", "~nobody-of-this-name/x"),
        (f"data {'x' * 300}", "xxx"),
        ("purify --seed x", "--seed"),
        ("purify --set epochs", "NAME=VALUE"),
        ("data /no/such/folder", "/no/such/folder"),
        ("runs show nothing", "nothing"),
        ("runs pause", "RUN"),
        ("replay nothing", "nothing"),
        ("replay last", "no run yet"),
        ("work /no/run", "no run /no/run"),
        ("dance", "dance"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(
    command: str, named: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code = cli.main(command.split())
    except SystemExit as left:  # argparse leaves by itself
        code = int(left.code or 0)
    out, err = capsys.readouterr()
    assert code == 2
    assert out == ""
    assert named in err
    assert len(err.splitlines()) == 1
    assert not home.exists()


def test_a_name_that_is_empty_is_no_default(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As where a script's variable is not set."""
    for arguments in (["purify", ""], ["scan", "", "--images", "signs"], ["purify", "--victim", ""]):
        assert cli.main(arguments) == 2
        assert "No model is named" in capsys.readouterr().err
    assert not home.exists()


def test_what_the_terminal_cannot_show_is_told_in_escapes(tmp_path: Path) -> None:
    """A class named in Japanese, and one in bytes that are no UTF-8, on a terminal that knows neither."""
    for name in ("猫".encode(), b"\x95\x5c"):
        folder = tmp_path / "photos" / os.fsdecode(name)
        folder.mkdir(parents=True)
        for number in range(2):
            Image.new("RGB", (4, 4)).save(folder / f"{number}.png")
    done = subprocess.run(
        [sys.executable, "-m", "core", "data", str(tmp_path / "photos")],
        cwd=ROOT, env=os.environ | {"PYTHONIOENCODING": "latin-1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert "\\u732b" in done.stdout
    assert "\\x95\\" in done.stdout


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


def test_bars_with_figures_where_somebody_watches(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(terminal, "interactive", lambda: True)
    monkeypatch.setenv("COLUMNS", "120")
    assert cli.main(["purify", "--json"]) == 0
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 1
    for named in ("Scanning", "0:03 left", "target class 3", "Purifying", "2/2", "attack success 4.0 %"):
        assert named in err


# runs and replay


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


def test_runs_are_steered_and_deleted(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    use(monkeypatch, raising(KeyboardInterrupt()))
    cli.main(["purify"])
    run = only_run()
    assert cli.main(["runs", "pause", run.id]) == 2
    spawned: list[Run] = []
    monkeypatch.setattr(supervisor, "spawn", spawned.append)
    assert cli.main(["runs", "resume", run.id]) == 0
    assert [again.id for again in spawned] == [run.id]
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


@pytest.mark.parametrize(("command", "code"), [("replay last --speed -1", 2), ("replay last", 2)])
def test_nothing_to_replay_is_said(command: str, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, raising(ZeroDivisionError()))
    cli.main(["purify"])
    assert cli.main(command.split()) == code


# data


def test_data_describes_a_folder_and_draws_a_sheet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    x = np.random.default_rng(0).integers(0, 256, (12, 16, 16, 3), np.uint8)
    y = np.arange(12) % 3
    np.savez(tmp_path / "set.npz", x_train=x, y_train=y, x_test=x[:6], y_test=y[:6])
    assert cli.main(["data", str(tmp_path / "set.npz"), "--sheet", str(tmp_path / "sheet.png")]) == 0
    out = capsys.readouterr().out
    assert "12 training and 6 test images of 16 x 16 pixels in 3 classes" in out
    assert Image.open(tmp_path / "sheet.png").size == (images.A_ROW * 50, 3 * 50)
    assert cli.main(["data", str(tmp_path / "set.npz"), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["train"], facts["test"], facts["sheet"]) == ([4, 4, 4], [2, 2, 2], None)
    assert cli.main(["data", str(tmp_path / "set.npz"), "--sheet", str(tmp_path / "sheet.txt")]) == 2
    assert ".png" in capsys.readouterr().err


def test_data_without_a_name_lists_the_sets(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["data"]) == 0
    out = capsys.readouterr().out
    for name in ("signs", "digits", "cifar10", "gtsrb"):
        assert name in out


# train


def test_train_writes_weights_and_a_card_and_refuses_to_overwrite_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    y = np.arange(40) % 2
    x = (y[:, None, None, None] * 100 + rng.integers(0, 100, (40, 16, 16, 3))).astype(np.uint8)
    np.savez(tmp_path / "set.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    out = tmp_path / "new" / "victim"
    command = (
        f"train --data {tmp_path / 'set.npz'} --attack badnets --attack-set side=4 --target 1 --rate 0.2 --epochs 1 "
        f"--train-set batch=20 --train-set lr=0.05 --device cpu --out {out}"
    ).split()
    assert cli.main([*command, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (facts["target"], facts["attack_settings"], facts["training"]["batch"]) == (1, {"side": 4}, 20)
    assert facts["out"] == f"{out}.safetensors"
    assert json.loads(Path(f"{out}.json").read_text())["ba"] == facts["ba"]
    before = Path(f"{out}.safetensors").read_bytes()
    assert cli.main(command) == 2
    assert "already" in capsys.readouterr().err
    assert Path(f"{out}.safetensors").read_bytes() == before


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ("--train-set lr=fast", "lr=fast"),
        ("--train-set speed=1", "speed=1"),
        ("--epochs 0", "epochs=0"),
        ("--data /no/where", "/no/where"),
        ("--out /dev/null/x", "/dev/null"),
    ],
)
def test_wrong_orders_to_train_are_one_sentence(
    options: str, named: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["train", "--out", str(tmp_path / "victim"), *options.split()]) == 2
    err = capsys.readouterr().err
    assert named in err
    assert len(err.splitlines()) == 1


# help


@pytest.mark.parametrize("command", ["", "data", "train", "purify", "scan", "runs", "replay"])
def test_help_has_examples(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        cli.main([*command.split(), "--help"])
    assert left.value.code == 0
    assert f"python -m core {command or 'purify'}" in capsys.readouterr().out


def test_without_a_command_the_help_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 2
    assert "python -m core purify" in capsys.readouterr().out


def test_defaults_are_shown_where_they_say_something(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["purify", "--help"])
    out = " ".join(capsys.readouterr().out.split())
    assert "(default: 0.05, " in out
    for empty in ("default: None", "default: {}", "default: True", "default: False"):
        assert empty not in out


def test_durations_and_meters() -> None:
    assert [terminal.duration(s) for s in (0.4, 64, 3723)] == ["0:00", "1:04", "1:02:03"]
    assert [terminal.meter(p, 4) for p in (0, 50, 120, float("nan"))] == ["....", "##..", "####", "...."]
