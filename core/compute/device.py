"""Which processor the work runs on, and how exactly it computes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from core.errors import BadInput


def choose(wish: str) -> torch.device:
    """The device that ``wish`` names: "auto" (a GPU if there is one), "cpu", "mps", "cuda" or "cuda:N".

    Raises:
        BadInput: the machine has no such device.
    """
    if wish == "auto":
        wish = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    kind, _, number = wish.partition(":")
    present = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}.get(kind, 0)
    if not (number or "0").isdecimal() or int(number or 0) >= present:
        raise BadInput(
            "device_missing", f"This machine has no device {wish!r}; use auto or cpu.", device=wish, allowed="auto, cpu"
        )
    if kind == "cuda":
        # tf32: convolutions on the tensor cores, about three decimal digits, ample for training
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.benchmark = True
    return torch.device(wish)


def precision(device: torch.device) -> torch.dtype:
    """The number format of convolutions and matrix products: bfloat16 on a CPU that has instructions for it.

    That is twice as fast on a PreActResNet-18. Without such instructions it would be slower than float32. A GPU uses
    tf32, see ``choose``.
    """
    get_capabilities = getattr(torch.cpu, "get_capabilities", dict)  # missing in older releases
    capabilities: Mapping[str, Any] = get_capabilities() if device.type == "cpu" else {}
    fast = capabilities.get("amx_bf16") or capabilities.get("avx512_bf16")
    return torch.bfloat16 if fast else torch.float32
