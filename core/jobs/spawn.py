"""Starts a process of our own that outlives this one."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

from core.jobs.process import identity

ROOT = Path(__file__).resolve().parents[2]  # the folder that holds ``core`` and ``dashboard``


def python_module(name: str, *arguments: str) -> list[str]:
    """``python -m NAME ARGUMENTS``."""
    return [sys.executable, "-m", name, *arguments]


def spawn(
    command: Sequence[str], log: Path, append: bool = False, environment: Mapping[str, str] | None = None
) -> dict[str, Any] | None:
    """Begins ``command`` in a session of its own, so that no terminal signal reaches it, and returns at once.

    Args:
        command: as ``python_module`` gives it.
        log: what it prints, errors too. append: after what is there.
        environment: variables beside those of this process.

    Returns:
        who it is (``core.jobs.process.identity``); None where it has ended already.

    Raises:
        OSError: the log could not be opened, or no process be made.
    """
    with log.open("ab" if append else "wb") as file:
        worker = subprocess.Popen(
            command, cwd=ROOT, start_new_session=True, env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        return identity(worker.pid)
    except psutil.Error:
        return None
    finally:
        # collects the process when it ends; one that is not collected stays behind as a zombie
        threading.Thread(target=worker.wait, name=f"wait-{worker.pid}", daemon=True).start()
