from __future__ import annotations

from collections.abc import Callable

import pytest

from core.runs.record import Run
from dashboard import data


def test_a_run_is_found_by_its_id_only(make_run: Callable[..., Run]) -> None:
    run = make_run("mine", "done")
    assert data.find("mine") is not None
    for wanted in (None, "", "..", ".", "../runs/mine", str(run.folder), "other"):
        assert data.find(wanted) is None


def test_the_recording_of_a_victim(make_run: Callable[..., Run]) -> None:
    make_run("mine", "done")
    assert data.recording_of("signs-badnets") is None
    make_run("shipped", "done", recording=True)
    found = data.recording_of("signs-badnets")
    assert found is not None
    assert found.id == "shipped"


@pytest.mark.parametrize(
    ("machine", "device", "name"),
    [
        ({"cpu": "Intel(R) Xeon(R) Processor @ 2.80GHz", "cores": 2}, "cpu", "CPU · Intel Xeon"),
        ({"cpu": "x", "gpu": "NVIDIA H100"}, "cuda", "NVIDIA H100"),
        ({"cpu": "x", "gpu": "NVIDIA H100"}, "cpu", "CPU · x"),
        ({}, "auto", "CPU"),
    ],
)
def test_what_a_run_was_computed_on(make_run: Callable[..., Run], machine: dict, device: str, name: str) -> None:
    assert data.device_of(make_run("mine", "done", machine=machine, result={"device": device})) == name
