from __future__ import annotations

import pytest
import torch

from core.compute.device import choose, precision
from core.errors import BadInput


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch):
    def have(cuda: int = 0, mps: bool = False) -> None:
        monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda > 0)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)

    benchmark, precision = torch.backends.cudnn.benchmark, torch.get_float32_matmul_precision()
    yield have
    torch.backends.cudnn.benchmark = benchmark
    torch.set_float32_matmul_precision(precision)


@pytest.mark.parametrize(
    ("cuda", "mps", "chosen"), [(0, False, "cpu"), (1, False, "cuda"), (0, True, "mps"), (2, True, "cuda")]
)
def test_auto_takes_the_fastest_there_is(machine, cuda: int, mps: bool, chosen: str) -> None:
    machine(cuda, mps)
    assert choose("auto").type == chosen


@pytest.mark.parametrize(
    ("wish", "cuda", "mps"), [("cpu", 0, False), ("cuda", 1, False), ("cuda:1", 2, False), ("mps", 0, True)]
)
def test_a_wish_that_can_be_met(machine, wish: str, cuda: int, mps: bool) -> None:
    machine(cuda, mps)
    assert choose(wish) == torch.device(wish)


@pytest.mark.parametrize("wish", ["cuda", "cuda:0", "cuda:1", "cuda:x", "cuda:-1", "mps", "cpu:1", "tpu", ""])
def test_a_wish_that_cannot(machine, wish: str) -> None:
    machine(cuda=1 if wish in ("cuda:1", "cuda:x", "cuda:-1") else 0)
    with pytest.raises(BadInput, match="use auto or cpu") as caught:
        choose(wish)
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
    monkeypatch: pytest.MonkeyPatch, device: str, able: dict[str, bool], told: torch.dtype
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able)
    assert precision(torch.device(device)) == told
