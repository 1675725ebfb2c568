"""No test touches the user's own runs, caches or processor count. Here is all that tests of several rooms replace."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from core import paths
from core.report import pdf

# Before torch is imported: the tensors of these tests are tiny, and threads only get into one another's way.
os.environ.setdefault("OMP_NUM_THREADS", "1")

DiskFull = Callable[..., AbstractContextManager[None]]


@pytest.fixture(scope="session", autouse=True)
def dissolve_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A home for the whole session, so that what is drawn once is kept; tests that count runs set their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DISSOLVE_HOME", str(tmp_path_factory.mktemp("home")))
        yield


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that takes the place of ``assets``: of models and recordings, only what a test puts there is shipped."""
    assets, logos = tmp_path / "assets", [entry for entry in paths.ASSETS.iterdir() if entry.is_file()]
    for place in (assets, assets / "victims", assets / "recordings", assets / "recorded"):
        place.mkdir()
        monkeypatch.setattr(paths, place.name.upper(), place)
    for entry in logos:
        (assets / entry.name).symlink_to(entry)
    return assets


class Started(list[list[str]]):
    """The arguments after ``python -m`` of each process of this program that would have been started, in order.

    In the place of each stands a process that computes nothing and waits.

    Attributes:
        waiting: those processes.
        environments: the variables that each was given.
        meanwhile: is called when one is about to be started.
    """

    def __init__(self) -> None:
        self.waiting: list[subprocess.Popen[bytes]] = []
        self.environments: list[dict[str, str]] = []
        self.meanwhile: Callable[[], None] = lambda: None

    def end(self) -> None:
        """Those that wait are gone, as after a crash."""
        for process in self.waiting:
            process.kill()
            process.wait()


@pytest.fixture
def no_worker_starts(monkeypatch: pytest.MonkeyPatch) -> Iterator[Started]:
    """Whatever would start ``python -m core ...`` goes its way, and nothing is computed."""
    found, real = Started(), subprocess.Popen

    def popen(command: Any, *more: Any, **options: Any) -> subprocess.Popen[Any]:
        if list(command[:2]) != [sys.executable, "-m"]:
            return real(command, *more, **options)
        found.meanwhile()
        found.append(list(command[2:]))
        found.environments.append(dict(os.environ if options.get("env") is None else options["env"]))
        waits = {"stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL, "start_new_session": True}
        stand_in = real(["cat"], env=options.get("env"), **waits)
        found.waiting.append(stand_in)
        return stand_in

    monkeypatch.setattr(subprocess, "Popen", popen)
    yield found
    found.end()


@pytest.fixture
def disk_full() -> DiskFull:
    """``with disk_full(): ...``: what is written inside does not reach the disk.

    ``after``: so many files still do. ``fault``: the reason in place of a full disk.
    """

    @contextmanager
    def full(after: int = 0, fault: int = errno.ENOSPC) -> Iterator[None]:
        left, real = after, os.fsync

        def fsync(file: int) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise OSError(fault, os.strerror(fault))
            real(file)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "fsync", fsync)
            yield

    return full


@pytest.fixture
def no_browser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder, the only one on the path: neither there nor by name is there a browser that prints a PDF."""
    for name in ("DISSOLVE_BROWSER", "PROGRAMFILES", "PROGRAMFILES(X86)", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    if pdf.find_browser() is not None:
        pytest.skip("on this system a browser is found at its usual place")
    return tmp_path / "bin"
