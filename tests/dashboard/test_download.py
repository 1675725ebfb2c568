from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import core.data
from core.errors import BadInput
from core.files import write_json
from core.jobs.note import Job
from dashboard import download


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DISSOLVE_HOME", str(tmp_path))
    (tmp_path / "cache").mkdir()
    return tmp_path


def test_no_download_has_no_state() -> None:
    assert download.state("cifar10") is None


def test_how_far_it_is_can_be_read_while_it_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Job | None] = []

    def load(name: str, *, download: bool, progress: Callable[[int, int], None]) -> None:
        assert download
        progress(3, 10)
        seen.append(module.state(name))

    module = download
    monkeypatch.setattr(core.data, "load", load)
    download.fetch("cifar10")
    assert [(job.done, job.total, job.ended) for job in seen if job] == [(3, 10, False)]
    now = download.state("cifar10")
    assert now is not None
    assert (now.done, now.total, now.ended) == (3, 10, True)


def test_a_failure_is_kept_with_its_facts(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(*_: Any, **__: Any) -> None:
        raise BadInput("download_failed", "No network.", name="CIFAR-10", url="u", folder="f", reason="r")

    monkeypatch.setattr(core.data, "load", load)
    download.fetch("cifar10")
    now = download.state("cifar10")
    assert now is not None
    assert now.ended
    assert now.failure["code"] == "download_failed"
    assert now.failure["facts"]["reason"] == "r"


def test_a_download_whose_process_is_gone_has_ended() -> None:
    write_json(download.note_of("gtsrb"), {"done": 1, "total": 5, "worker": {"pid": 1, "started": 1.0}})
    now = download.state("gtsrb")
    assert now is not None
    assert now.ended
