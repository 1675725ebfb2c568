"""What a run can go on from."""

from __future__ import annotations

import pytest
import torch

from core.runs import record
from core.runs.record import Run
from core.runs.spec import Spec
from tests.conftest import DiskFull


@pytest.fixture
def run(spec: Spec) -> Run:
    return record.create(spec)


@pytest.mark.parametrize("left", [0, 40, -1])
def test_a_checkpoint_that_was_cut_short_is_none(run: Run, left: int) -> None:
    run.write_checkpoint({"w": torch.ones(20)}, {"step": 1})
    (file,) = (run.folder / "checkpoints").glob("*.safetensors")
    file.write_bytes(file.read_bytes()[:left])
    assert run.read_checkpoint() is None
    (run.folder / "checkpoints" / "last.json").write_text("[]")
    assert run.read_checkpoint() is None


def test_a_checkpoint_comes_back_and_replaces_the_one_before(run: Run) -> None:
    shared = torch.arange(6.0)
    run.write_checkpoint({"w": torch.zeros(2)}, {"step": 1})
    run.write_checkpoint(
        {"w": shared, "same": shared, "turned": shared.view(2, 3).t(), "n": torch.tensor(3)}, {"step": 2}
    )
    found = run.read_checkpoint()
    assert found is not None
    tensors, meta = found
    assert meta == {"step": 2}
    torch.testing.assert_close(tensors["turned"], shared.view(2, 3).t())
    assert tensors["n"].shape == ()
    assert len(list((run.folder / "checkpoints").iterdir())) == 2


def test_a_crash_between_tensors_and_pointer_keeps_the_pair_before(run: Run, disk_full: DiskFull) -> None:
    run.write_checkpoint({"w": torch.zeros(2)}, {"step": 1})

    with disk_full(after=1), pytest.raises(OSError, match="No space"):
        run.write_checkpoint({"w": torch.ones(2)}, {"step": 2})
    assert len(list((run.folder / "checkpoints").glob("*.safetensors"))) == 2
    found = run.read_checkpoint()
    assert found is not None
    assert found[0]["w"].tolist() == [0, 0]
    assert found[1] == {"step": 1}


def test_the_weights_of_each_purification_stay_whatever_becomes_of_the_checkpoint(run: Run) -> None:
    assert run.read_purified(1) is None
    run.write_purified(1, {"w": torch.ones(2)})
    run.write_purified(2, {"w": torch.zeros(2)})
    for step in (1, 2):
        run.write_checkpoint({"w": torch.full((2,), 5.0)}, {"step": step})
    run.drop_checkpoint()
    assert run.read_checkpoint() is None
    first, second = run.read_purified(1), run.read_purified(2)
    assert first is not None
    assert second is not None
    assert (first["w"].tolist(), second["w"].tolist()) == ([1, 1], [0, 0])
    (run.folder / "checkpoints" / "purified-1.safetensors").write_bytes(b"cut short")
    assert run.read_purified(1) is None
