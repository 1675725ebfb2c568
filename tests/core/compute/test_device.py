from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import nn

from core.compute.device import choose, precision, present
from core.errors import BadInput


@pytest.fixture(autouse=True)
def settings_put_back() -> Iterator[None]:
    benchmark, precision = torch.backends.cudnn.benchmark, torch.get_float32_matmul_precision()
    yield
    torch.backends.cudnn.benchmark = benchmark
    torch.set_float32_matmul_precision(precision)


def machine(cuda: int = 0, mps: bool = False) -> dict[str, int]:
    """What ``present`` says of a machine with these devices."""
    return {"cuda": cuda, "mps": int(mps), "cpu": 1}


def test_the_devices_of_this_machine_are_those_that_torch_sees() -> None:
    devices = present()
    assert [*devices] == [*machine()], "the fastest first"
    assert devices["cpu"] == 1
    assert choose("auto") == choose("auto", devices)
    assert bool(devices["cuda"]) == torch.cuda.is_available()
    assert bool(devices["mps"]) == torch.backends.mps.is_available()


@pytest.mark.parametrize(
    ("cuda", "mps", "chosen"), [(0, False, "cpu"), (1, False, "cuda"), (0, True, "mps"), (2, True, "cuda")]
)
def test_auto_takes_the_fastest_there_is(cuda: int, mps: bool, chosen: str) -> None:
    assert choose("auto", machine(cuda, mps)).type == chosen


@pytest.mark.parametrize(
    ("wish", "cuda", "mps"), [("cpu", 0, False), ("cuda", 1, False), ("cuda:1", 2, False), ("mps", 0, True)]
)
def test_a_wish_that_can_be_met(wish: str, cuda: int, mps: bool) -> None:
    assert choose(wish, machine(cuda, mps)) == torch.device(wish)


@pytest.mark.parametrize("wish", ["cuda", "cuda:0", "cuda:1", "cuda:x", "cuda:-1", "mps", "cpu:1", "tpu", ""])
def test_a_wish_that_cannot(wish: str) -> None:
    devices = machine(cuda=1 if wish in ("cuda:1", "cuda:x", "cuda:-1") else 0)
    with pytest.raises(BadInput, match="use auto or cpu") as caught:
        choose(wish, devices)
    assert caught.value.code == "device_missing"
    assert caught.value.facts["device"] == wish


@pytest.mark.parametrize(
    ("device", "able", "told"),
    [
        ("cpu", {"amx_bf16": True}, torch.bfloat16),
        ("cpu", {"avx512_bf16": True}, torch.bfloat16),
        ("cpu", {"avx2": True, "amx_bf16": False}, torch.float32),
        ("cuda", {"amx_bf16": True}, torch.float32),
    ],
)
def test_a_cpu_computes_in_bfloat16_where_it_has_instructions_for_it(
    device: str, able: dict[str, bool], told: torch.dtype
) -> None:
    assert precision(torch.device(device), nn.Conv2d(4, 4, 3), able) == told


def test_depthwise_convolutions_are_computed_in_float32() -> None:
    able = {"amx_bf16": True}
    separable = nn.Sequential(nn.Conv2d(4, 8, 1), nn.Conv2d(8, 8, 3, groups=8))
    assert precision(torch.device("cpu"), separable, able) == torch.float32
    grouped, grey = nn.Conv2d(8, 8, 3, groups=2), nn.Conv2d(1, 8, 3)  # neither has a filter for each channel
    assert precision(torch.device("cpu"), nn.Sequential(grouped, grey), able) == torch.bfloat16
