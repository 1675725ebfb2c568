"""One writer of a run at a time."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from core.errors import BadInput
from core.jobs import process
from core.runs.lock import run_lock


def test_one_holder_at_a_time_and_the_next_when_it_lets_go(tmp_path: Path) -> None:
    with run_lock(tmp_path):
        with pytest.raises(BadInput) as caught, run_lock(tmp_path):
            pass
        assert caught.value.code == "run_already_running"
    with run_lock(tmp_path):
        pass


def test_a_patient_taker_waits_for_the_holder(tmp_path: Path) -> None:
    order = []

    def take() -> None:
        with run_lock(tmp_path, patience=60):
            order.append("taken")

    taker = threading.Thread(target=take)
    with run_lock(tmp_path):
        taker.start()
        order.append("let go")
    taker.join()
    assert order == ["let go", "taken"]


def test_the_lock_of_a_killed_holder_is_free(tmp_path: Path, until: Callable) -> None:
    script = (
        "import sys; from core.runs.lock import run_lock\nwith run_lock(__import__('pathlib').Path(sys.argv[1])):\n"
    )
    script += "    print('held', flush=True); input()"
    holder = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], cwd=Path(process.__file__).parents[2],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(BadInput), run_lock(tmp_path):
        pass
    holder.kill()
    holder.communicate()
    with run_lock(tmp_path):
        pass
