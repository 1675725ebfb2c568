"""Starts processes of this program that outlive the current one."""

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
    """Starts ``command`` in a session of its own, which no terminal signal reaches, and returns at once.

    Args:
        command: as ``python_module`` gives it.
        log: file for its output, errors included.
        append: whether the output is appended to the file.
        environment: variables in addition to those of this process.

    Returns:
        its identity (``core.jobs.process.identity``); None if it has ended already.

    Raises:
        OSError: the log cannot be opened, or no process can be started.
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
        # collects the process when it ends; otherwise it would remain as a zombie
        threading.Thread(target=worker.wait, name=f"wait-{worker.pid}", daemon=True).start()
