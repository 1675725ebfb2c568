"""``python -m core compare`` on the digits: one run for each defence, one table, one JSON object."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.cli.options import BAD_INPUT, DONE, NOT_HELD
from core.cli.parser import main
from core.engine.worker import Pipeline
from core.errors import BadInput
from core.events import Event, Finished
from core.runs import record
from core.runs.record import Run
from core.runs.steering import Steering
from tests.core.cli.made_up import use


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISSOLVE_HOME", str(tmp_path))


def pretend(monkeypatch: pytest.MonkeyPatch, held: bool = True) -> Pipeline:
    """Runs that take no time, and end with figures of their own."""

    def work(run: Run, steering: Steering) -> Iterator[Event]:
        asr = {"ft": 60.0, "nc": 4.5}[run.spec.defence] + run.spec.seed % 3
        result = {
            "ba_before": 98.5, "ba_after": 97.25, "asr_before": 100.0, "asr_after": asr, "asr_kind": "true",
            "seconds": {"scan": 2.0, "purify": 3.5, "verify": 9.0}, "device": "cpu", "clean_images": 60,
            "ba_held": held, "cure": "failed" if asr > 10 else "holds",
        }  # fmt: skip
        yield Finished(result)

    use(monkeypatch, work)
    return work


def test_each_defence_is_a_run_of_its_own_with_the_same_clean_images_and_seed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pretend(monkeypatch)
    code = main(["compare", "--victim", "digits-badnets", "--defences", "ft,nc,ft", "--seed", "3"])
    assert code == NOT_HELD
    runs = record.list_runs(recordings=False)
    assert sorted(run.spec.defence for run in runs) == ["ft", "nc"]
    assert {(run.spec.victim, run.spec.seed, run.spec.clean_budget, run.spec.map) for run in runs} == {
        ("digits-badnets", 3, 0.05, False)
    }
    assert len({run.data["group"] for run in runs}) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].split() == ["before", "98.50", "100.00"]
    assert lines[3].split() == ["ft", "97.25", "60.00", "not", "cured", "5.5"]
    assert lines[4].split() == ["nc", "97.25", "4.50", "holds", "5.5"]


def test_several_seeds_give_mean_and_range(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    pretend(monkeypatch)
    order = ["compare", "digits-badnets", "--defences", "nc,ft", "--seeds", "0", "1", "2", "1"]
    assert main(order) == NOT_HELD
    runs = record.list_runs(recordings=False)
    assert sorted((run.spec.seed, run.spec.defence) for run in runs) == [
        (k, name) for k in range(3) for name in ("ft", "nc")
    ]
    assert len({run.data["group"] for run in runs}) == 1
    out = capsys.readouterr().out
    assert "5.50 (4.50 to 6.50)" in out
    assert "holds in 3 of 3" in out
    assert "61.00 (60.00 to 62.00)" in out
    assert "Mean and range of seeds 0, 1, 2" in out
    assert "not cured by ft (seed 0), ft (seed 1), ft (seed 2)" in out
    main([*order, "--json"])
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["nc"]["attack_success_after"] == {"mean": 5.5, "low": 4.5, "high": 6.5, "runs": 3}
    assert told["nc"]["seeds"]["2"]["asr_after"] == 6.5


def test_json_is_the_last_line_and_has_a_part_for_each(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pretend(monkeypatch)
    assert main(["compare", "digits-badnets", "--defences", "nc", "--json"]) == DONE
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["nc"]["asr_after"] == 4.5
    assert told["nc"]["out"]


def test_where_the_model_is_not_cured_that_is_said_and_the_exit_code_is_3(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pretend(monkeypatch)
    assert main(["compare", "digits-badnets", "--defences", "ft,nc"]) == NOT_HELD
    assert "not cured by ft: nothing is handed out there" in capsys.readouterr().out


def test_where_accuracy_was_not_held_that_is_said_and_the_exit_code_is_3(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pretend(monkeypatch, held=False)
    assert main(["compare", "digits-badnets", "--defences", "ft"]) == 3
    assert "could not be held by ft" in capsys.readouterr().out


def test_a_defence_that_diverges_is_told_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    others = pretend(monkeypatch)

    def work(run: Run, steering: Steering) -> Iterator[Event]:
        if run.spec.defence == "ft":
            raise BadInput("training_diverged", "It diverged.")
        yield from others(run, steering)

    use(monkeypatch, work)
    assert main(["compare", "digits-badnets", "--defences", "ft,nc", "--json"]) == BAD_INPUT
    told = capsys.readouterr()
    assert "ft: It diverged." in told.err
    assert list(json.loads(told.out.splitlines()[-1])) == ["nc"]
    assert main(["compare", "digits-badnets", "--defences", "ft"]) == BAD_INPUT
    assert not capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--defences", ""], "No defence is named"),
        (["--defences", "mcl,abl"], "'abl'"),
        (["--out", "somewhere"], "--out"),
    ],
)
def test_a_mistake_is_told_before_anything_is_run(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", "--victim", "digits-badnets", *arguments]) == BAD_INPUT
    assert says in capsys.readouterr().err
    assert record.list_runs(recordings=False) == []


def test_a_real_comparison(capsys: pytest.CaptureFixture[str]) -> None:
    """Of one defence, which uses what the scan found."""
    assert main(["compare", "digits-badnets", "--defences", "nc", "--json"]) in (DONE, NOT_HELD)
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["nc"]["target"] == 0
    assert told["nc"]["ba_before"] == 99.5
    assert told["nc"]["asr_after"] < told["nc"]["asr_before"] - 20
