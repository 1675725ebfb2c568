"""The process that forks workers: detached, each on its own, and begun anew where it is gone."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from core.fleet import fork_server
from core.fleet.fork_server import ForkServer
from core.jobs.spawn import ROOT
from core.runs import record
from core.runs.record import Run
from core.runs.spec import Spec
from tests.conftest import Started
from tests.core.fleet.made_up import models
from tests.core.fleet.test_make import wait_for

pytestmark = pytest.mark.skipif(not fork_server.possible(), reason="this system does not fork safely")


@pytest.fixture
def created(fake: Path, tmp_path: Path) -> Callable[[str], Run]:
    folder = models(tmp_path / "models", ("none.pt", "dies.pt", "hangs.pt"))
    return lambda name: record.create(Spec(weights=str(folder / name), images="digits", map=False, scan_only=True))


def test_workers_do_their_runs_and_outlive_the_process(created: Callable[[str], Run], tmp_path: Path) -> None:
    at = ForkServer(1)
    hangs = created("hangs.pt")
    at.begin(hangs)
    wait_for(lambda: hangs.data["worker"])
    at.close()
    worker = psutil.Process(hangs.data["worker"]["pid"])
    assert worker.is_running()
    assert hangs.status == "running"
    (tmp_path / "models" / "go").touch()
    wait_for(lambda: hangs.status == "done")


@pytest.mark.parametrize("tied", [True, False])
def test_tied_workers_end_with_whoever_began_the_process(
    created: Callable[[str], Run], tmp_path: Path, tied: bool
) -> None:
    run = created("hangs.pt")
    script = f"""
import sys, time
from pathlib import Path
from core.fleet import fork_server
from core.runs.record import Run
from tests.core.fleet import made_up
fork_server.command = made_up.fork_server_command
fork_server.ForkServer(1, {tied}).begin(Run(Path({str(run.folder)!r})))
time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", script], cwd=ROOT) as owner:
        wait_for(lambda: run.data["worker"])
        worker = psutil.Process(run.data["worker"]["pid"])
        server = worker.parent()
        owner.kill()
    assert server
    wait_for(lambda: not server.is_running())
    assert run.status == ("lost" if tied else "running")
    (tmp_path / "models" / "go").touch()
    wait_for(lambda: run.status == ("lost" if tied else "done"))


def test_one_that_dies_leaves_the_others_alone(created: Callable[[str], Run]) -> None:
    at, runs = ForkServer(1), [created("dies.pt"), created("none.pt")]
    for run in runs:
        at.begin(run)
    wait_for(lambda: runs[1].status == "done")
    wait_for(lambda: runs[0].status == "lost")
    at.close()


def test_what_fails_outside_a_run_leaves_its_trace_in_the_log(created: Callable[[str], Run]) -> None:
    at, run = ForkServer(1), created("none.pt")
    run.update(status="done")  # a worker refuses it before it takes it up
    at.begin(run)
    log = run.folder / "worker.log"
    wait_for(lambda: log.exists() and log.read_text().endswith("go on with.\n"))
    at.close()
    assert "Traceback" in log.read_text()
    assert "there is nothing to go on with" in log.read_text()


def test_it_is_begun_anew_where_it_is_gone(created: Callable[[str], Run]) -> None:
    at = ForkServer(1)
    assert at.ready()
    at.close()
    run = created("none.pt")
    at.begin(run)
    wait_for(lambda: run.status == "done")
    at.close()


def test_without_it_workers_are_spawned(created: Callable[[str], Run], no_worker_starts: Started) -> None:
    run = created("none.pt")
    at = ForkServer(3, program=[sys.executable, "-c", ""])  # gone before it is ready
    at.begin(run)
    at.close()
    assert no_worker_starts == [["core", "work", str(run.folder)]]
    assert no_worker_starts.environments[0]["OMP_NUM_THREADS"] == "3"
