"""Telling a process from another one that happens to have its number."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
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


def test_a_request_to_end_calls_what_was_set_and_the_handler_is_put_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    called: list[int] = []
    with process.on_sigterm(lambda: called.append(1)):
        signal.raise_signal(signal.SIGTERM)
    assert called == [1]
    assert signal.getsignal(signal.SIGTERM) is before


def test_in_another_thread_the_handler_is_left_alone() -> None:
    def work() -> None:
        with process.on_sigterm(lambda: None):
            seen.append(signal.getsignal(signal.SIGTERM))

    before = signal.getsignal(signal.SIGTERM)
    seen: list[object] = []
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]


def test_a_child_that_was_told_to_end_is_collected_with_its_pipes() -> None:
    child = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdin is not None
    assert child.stdout is not None
    child.kill()
    child.stdin.write(b"never read")
    process.collect(child)
    assert child.returncode == -signal.SIGKILL
    assert child.stdin.closed
    assert child.stdout.closed
