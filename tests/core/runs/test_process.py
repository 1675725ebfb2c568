"""Telling a run's worker from a process that happens to have its number, and keeping workers alone."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from core.errors import BadInput
from core.runs import process
from core.runs.process import RunLock


def test_this_process_is_found_and_a_stranger_of_the_same_number_is_not() -> None:
    me = process.identity()
    assert me["pid"] == os.getpid()
    found = process.find(me)
    assert found is not None
    assert found.pid == os.getpid()
    assert process.find(me | {"started": me["started"] - 60}) is None
    assert process.find(me | {"started": me["started"] + 60}) is None


@pytest.mark.parametrize("worker", [None, {}, {"pid": 1}, {"pid": "x", "started": 1}, {"pid": -3, "started": 1}])
def test_nobody_is_found_for_a_damaged_entry(worker: dict | None) -> None:
    assert process.find(worker) is None


def test_a_zombie_is_gone(until: Callable) -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    worker = process.identity(child.pid)
    assert process.find(worker) is not None
    child.kill()
    until(lambda: psutil.Process(child.pid).status() == psutil.STATUS_ZOMBIE)  # not collected yet
    assert process.find(worker) is None
    child.communicate()


def test_one_holder_at_a_time_and_the_next_when_it_lets_go(tmp_path: Path) -> None:
    with RunLock(tmp_path):
        with pytest.raises(BadInput) as caught, RunLock(tmp_path):
            pass
        assert caught.value.code == "run_already_running"
    with RunLock(tmp_path):
        pass


def test_a_patient_taker_waits_for_the_holder(tmp_path: Path) -> None:
    order = []

    def take() -> None:
        with RunLock(tmp_path, patience=60):
            order.append("taken")

    taker = threading.Thread(target=take)
    with RunLock(tmp_path):
        taker.start()
        order.append("let go")
    taker.join()
    assert order == ["let go", "taken"]


def test_the_lock_of_a_killed_holder_is_free(tmp_path: Path, until: Callable) -> None:
    script = (
        "import sys; from core.runs.process import RunLock\nwith RunLock(__import__('pathlib').Path(sys.argv[1])):\n"
    )
    script += "    print('held', flush=True); input()"
    holder = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], cwd=Path(process.__file__).parents[2],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(BadInput), RunLock(tmp_path):
        pass
    holder.kill()
    holder.communicate()
    with RunLock(tmp_path):
        pass
