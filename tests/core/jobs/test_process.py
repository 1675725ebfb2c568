"""Telling a process from another one that happens to have its number."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

import psutil
import pytest

from core.jobs import process


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
