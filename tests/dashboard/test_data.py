from __future__ import annotations

from collections.abc import Callable

import pytest

from core.events import Scanned
from core.runs.record import Run
from core.runs.spec import Spec
from dashboard import data
from dashboard.digest import Digest


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


def test_recordings_of_other_defences_stand_beside_that_of_mcl(make_run: Callable[..., Run]) -> None:
    make_run("signs-badnets", "done", recording=True)
    make_run("signs-badnets-ft", "done", recording=True, spec=Spec(victim="signs-badnets", defence="ft").to_dict())
    found = [data.recording_of("signs-badnets"), data.recording_of("signs-badnets", "ft")]
    assert [run and run.id for run in found] == ["signs-badnets", "signs-badnets-ft"]
    assert data.recording_of("signs-badnets", "nad") is None


@pytest.mark.parametrize(
    ("order", "scans"),
    [
        (Spec(victim="signs-badnets"), True),
        (Spec(victim="signs-badnets", defence="nc"), True),
        (Spec(victim="signs-badnets", defence="ft"), False),
        (Spec(victim="signs-badnets", defence="ft", scan_only=True), True),
        (Spec(weights="theirs.pth", defence="ft"), True),
    ],
)
def test_which_runs_look_for_a_trigger(make_run: Callable[..., Run], order: Spec, scans: bool) -> None:
    assert data.scans(make_run("one", "done", spec=order.to_dict())) is scans


@pytest.mark.parametrize(
    ("order", "counted"),
    [
        (Spec(victim="signs-badnets", target=1), 0),
        (Spec(weights="theirs.pth", target=1), 1),
        (Spec(weights="theirs.pth"), 2),
    ],
)
def test_the_class_that_attack_success_is_counted_for(make_run: Callable[..., Run], order: Spec, counted: int) -> None:
    """The attacker's (class 0 on the card), else the one given, else the one found (class 2)."""
    found = Digest(scanned=Scanned(2, 3.0, [30.0, 30.0, 9.0], [100.0, 100.0, 100.0], "trigger.npz"))
    assert data.measured_target(make_run("one", "done", spec=order.to_dict()), found) == counted
    assert data.measured_target(make_run("two", "done", spec=Spec(weights="theirs.pth").to_dict()), Digest()) is None
