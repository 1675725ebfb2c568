"""The work of a fleet, with workers that need no torch: nothing is done twice, and nobody is held up."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from core.fleet import listing, make, place, seen
from core.fleet.engines.local import Local
from core.fleet.place import Order, Standing
from core.jobs.spawn import ROOT
from core.runs import record
from core.runs.record import Run
from tests.core.fleet import made_up

SCRIPT = """
import sys
from core.cli.parser import main
from core.fleet import fork_server
from tests.core.fleet import made_up
fork_server.command = made_up.fork_server_command
sys.exit(main(sys.argv[1:]))
"""


def work(
    models: Path, folder: Path, purify: bool = False, workers: int = 1, told: list[tuple[str, int, int]] | None = None
) -> Standing:
    order = Order(str(models), "digits")
    entries = listing.read(models, "digits", [folder])
    hashes = seen.Hashes(folder / place.STAMPS)
    report = (lambda *step: None) if told is None else (lambda *step: told.append(step))
    with place.opened(folder, order):
        return make.Fleet(folder, order, entries, Local(workers), hashes, report).work(purify)


def begun(fake: Path) -> list[str]:
    """What workers began since the last call, in any order."""
    lines = sorted(line.rpartition(" ")[0] for line in fake.read_text().splitlines()) if fake.exists() else []
    fake.unlink(missing_ok=True)
    return lines


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 240  # only a fault takes as long
    while not condition():
        assert time.monotonic() < deadline, "this never came"
        time.sleep(0.01)


def test_all_models_are_ranked_and_one_that_cannot_be_read_holds_up_nobody(
    fake: Path, models: Path, tmp_path: Path
) -> None:
    told: list[tuple[str, int, int]] = []
    standing = work(models, tmp_path / "fleet", workers=2, told=told)
    assert [(row.file, row.verdict) for row in standing.models] == [
        ("deep/er/copy of strong-3.safetensors", "strong"), ("strong-3.pt", "strong"), ("some-1.pt", "some"),
        ("none.pt", "none"), ("broken.pt", None),
    ]  # fmt: skip
    assert standing.models[-1].error == "broken.pt is broken."
    assert standing.models[2].target == 1
    assert (standing.stage, standing.engine, standing.workers, standing.going) == ("done", "local", 2, False)
    assert sorted(told) == [("scan", number, 5) for number in range(1, 6)]
    assert place.read_standing(tmp_path / "fleet") == standing


def test_two_copies_of_one_file_are_looked_at_once(fake: Path, models: Path, tmp_path: Path) -> None:
    standing = work(models, tmp_path / "fleet", workers=2)
    assert len(begun(fake)) == 4
    one, other = standing.models[:2]
    assert one.run == other.run
    assert sorted((one.reused, other.reused)) == [False, True]


def test_runs_open_like_any_other_and_triggers_are_kept_as_pictures(fake: Path, models: Path, tmp_path: Path) -> None:
    standing = work(models, tmp_path / "fleet")
    for row in standing.models:
        assert row.run
        run = Run(tmp_path / "fleet" / "runs" / row.run)
        assert (run.spec.scan_only, run.spec.images, run.spec.enough) == (True, "digits", True)
        picture = place.picture_of(tmp_path / "fleet", row.run)
        assert picture.exists() is row.signs
        assert not row.signs or picture.read_bytes().startswith(b"\x89PNG")


def test_the_same_again_does_nothing_and_new_files_are_looked_at(fake: Path, models: Path, tmp_path: Path) -> None:
    before = work(models, tmp_path / "fleet")
    begun(fake)
    again = work(models, tmp_path / "fleet")
    assert begun(fake) == []
    assert [row.risk for row in again.models] == [row.risk for row in before.models]
    (models / "new.pt").write_text("some-2")
    (models / "none.pt").unlink()
    (models / "some-1.pt").write_text("strong-1")
    found = work(models, tmp_path / "fleet")
    assert begun(fake) == ["scan new.pt", "scan some-1.pt"]
    assert {row.file: row.verdict for row in found.models} == {
        "deep/er/copy of strong-3.safetensors": "strong", "strong-3.pt": "strong", "some-1.pt": "strong",
        "new.pt": "some", "broken.pt": None,
    }  # fmt: skip


def test_another_fleet_takes_over_what_was_done_before(fake: Path, models: Path, tmp_path: Path) -> None:
    work(models, tmp_path / "fleet")
    begun(fake)
    standing = work(models, tmp_path / "next")
    assert begun(fake) == ["scan broken.pt"], "a fault is not taken on trust"
    shutil.rmtree(tmp_path / "fleet")
    assert all(Run(tmp_path / "next" / "runs" / str(row.run)).status for row in standing.models)
    assert [row.reused for row in standing.models] == [True] * 4 + [False]


def test_models_with_signs_are_purified_the_gravest_first_going_on_from_their_scan(
    fake: Path, models: Path, tmp_path: Path
) -> None:
    work(models, tmp_path / "fleet")
    begun(fake)
    standing = work(models, tmp_path / "fleet", purify=True)
    assert standing.purify
    gravest, other = fake.read_text().splitlines()  # of two copies the model is purified once
    assert gravest.startswith("purify copy of strong-3.safetensors")
    assert other.startswith("purify some-1.pt")
    begun(fake)
    by_file = {row.file: row for row in standing.models}
    assert [by_file[name].cure for name in ("strong-3.pt", "some-1.pt", "none.pt")] == ["holds", "holds", None]
    cured = by_file["strong-3.pt"]
    assert (cured.step, cured.ba_after, cured.asr_after, cured.handed_out) == ("rollout", 89.0, 1.0, True)
    run = Run(tmp_path / "fleet" / "runs" / str(cured.cure_run))
    assert run.data["result"]["recalled"] is True
    assert not run.spec.scan_only
    shown = work(models, tmp_path / "fleet")
    assert {row.file: row.cure for row in shown.models}["strong-3.pt"] == "holds", "also where nobody asks for it"
    assert begun(fake) == []


def test_the_cost_of_a_purification_is_told_by_those_that_were_made(fake: Path, models: Path, tmp_path: Path) -> None:
    before = {row.file: row.step_seconds for row in work(models, tmp_path / "fleet").models}
    assert before["strong-3.pt"] == 2 + 9 * 10
    work(models, tmp_path / "fleet", purify=True)
    (models / "new.pt").write_text("strong-2")
    after = {row.file: row.step_seconds for row in work(models, tmp_path / "fleet").models}
    assert after["new.pt"] == 2 + 1.5 * 10, "15 s beyond 10 s of scan"


def test_a_worker_that_is_killed_gets_one_more_try_and_holds_up_nobody(fake: Path, tmp_path: Path) -> None:
    models = made_up.models(tmp_path / "models", ("dies.pt", "strong-3.pt"))
    standing = work(models, tmp_path / "fleet")
    assert begun(fake) == ["scan dies.pt", "scan dies.pt", "scan strong-3.pt"]
    assert [row.verdict for row in standing.models] == ["strong", None]
    assert "ended before it was done" in str(standing.models[1].error)
    (models / "dies.pt").write_text("none")
    assert work(models, tmp_path / "fleet").models[1].verdict == "none"


def test_a_verdict_is_not_filed_under_a_hash_that_it_is_not_of(fake: Path, tmp_path: Path) -> None:
    models = made_up.models(tmp_path / "models", ("swapped.pt", "strong-3.pt"))
    standing = work(models, tmp_path / "fleet")
    row = standing.models[1]
    assert (row.file, row.verdict, row.risk, row.code) == ("swapped.pt", None, None, "changed_while_read")
    assert str(models / "swapped.pt") in str(row.error)
    assert begun(fake) == ["scan strong-3.pt", "scan swapped.pt"]
    for folder in ("fleet", "next"):
        (models / "swapped.pt").write_text("swapped")
        assert work(models, tmp_path / folder).models[1].verdict is None, "nothing is remembered of the content before"
        assert begun(fake) == ["scan swapped.pt"]
    assert work(models, tmp_path / "fleet").models[1].verdict == "none", "what lies there now is looked at"


def test_what_is_not_there_is_told_in_its_own_row(fake: Path, tmp_path: Path) -> None:
    made_up.models(tmp_path, ("none.pt",))
    (tmp_path / "m.csv").write_text("weights,images,exposure\nnone.pt,digits,1\ngone.pt,digits,5\nnone.pt,/nowhere,\n")
    standing = work(tmp_path / "m.csv", tmp_path / "fleet")
    assert [(row.file, row.code) for row in standing.models] == [
        ("none.pt", None), ("gone.pt", "weights_not_found"), ("none.pt", "images_not_found"),
    ]  # fmt: skip
    assert begun(fake) == ["scan none.pt"]


def command(models: Path, folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, "fleet", str(models), "--images", "digits", "--out", str(folder), "--json"],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # tests in the background ignore it
    )  # fmt: skip


def hanging(folder: Path) -> list[Run]:
    return [
        run for run in record.list_runs(folder / "runs", recordings=False)
        if run.status == "running" and str(run.spec.weights).endswith("hangs.pt")
    ]  # fmt: skip


@pytest.mark.parametrize("also_its_worker", [True, False])
def test_a_fleet_that_is_killed_goes_on_with_the_model_it_was_at(
    fake: Path, tmp_path: Path, also_its_worker: bool
) -> None:
    models, folder = made_up.models(tmp_path / "models", ("a strong-3.pt", "hangs.pt", "none.pt")), tmp_path / "fleet"
    (models / "a strong-3.pt").write_text("strong-3")
    with command(models, folder) as running:
        wait_for(lambda: hanging(folder) and "hangs" in fake.read_text())
        running.kill()
        running.communicate()
    if also_its_worker:
        os.kill(hanging(folder)[0].data["worker"]["pid"], signal.SIGKILL)
        wait_for(lambda: not hanging(folder))
    assert begun(fake) == ["scan a strong-3.pt", "scan hangs.pt"]
    (models / "go").touch()
    with command(models, folder) as running:
        out, err = running.communicate(timeout=60)
    assert running.returncode == 0, err
    found = json.loads(out.splitlines()[-1])
    assert [row["verdict"] for row in found["models"]] == ["strong", "none", "none"]
    assert [line for line in begun(fake) if "strong" in line] == [], "what was done is not done again"
    assert len(list((folder / "runs").iterdir())) == 3


def test_ctrl_c_stops_the_workers_and_the_fleet_goes_on_later(fake: Path, tmp_path: Path) -> None:
    models, folder = made_up.models(tmp_path / "models", ("hangs.pt",)), tmp_path / "fleet"
    with command(models, folder) as running:
        wait_for(lambda: hanging(folder))
        standing = place.read_standing(folder)
        assert standing
        assert standing.going
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "the same command goes on" in err
    assert out == ""
    assert [run.status for run in record.list_runs(folder / "runs", recordings=False)] == ["stopped"]
    standing = place.read_standing(folder)
    assert standing
    assert not standing.going
    (models / "go").touch()
    assert [row.verdict for row in work(models, folder).models] == ["none"]
