"""Which processor the work runs on, and how exactly it computes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from core.errors import BadInput


def present() -> dict[str, int]:
    """How many devices of each kind this machine has, the fastest kind first."""
    cuda = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return {"cuda": cuda, "mps": int(torch.backends.mps.is_available()), "cpu": 1}


def choose(wish: str, devices: Mapping[str, int] | None = None) -> torch.device:
    """The device that ``wish`` names: "auto" (a GPU if there is one), "cpu", "mps", "cuda" or "cuda:N".

    Args:
        devices: those of the machine, as ``present`` gives them, which is asked by default.

    Raises:
        BadInput: the machine has no such device.
    """
    devices = present() if devices is None else devices
    if wish == "auto":
        wish = next(kind for kind, count in devices.items() if count)
    kind, _, number = wish.partition(":")
    if not (number or "0").isdecimal() or int(number or 0) >= devices.get(kind, 0):
        raise BadInput(
            "device_missing", f"This machine has no device {wish!r}; use auto or cpu.", device=wish, allowed="auto, cpu"
        )
    if kind == "cuda":
        # tf32: convolutions on the tensor cores, about three decimal digits, ample for training
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.benchmark = True
    return torch.device(wish)


def precision(device: torch.device, net: nn.Module, instructions: Mapping[str, Any] | None = None) -> torch.dtype:
    """The number format of convolutions and matrix products: bfloat16 on a CPU that has instructions for it.

    That is twice as fast on a PreActResNet-18. Without such instructions it would be slower than float32, and so it is
    in the backward pass of depthwise convolutions: a training step of a MobileNetV3 takes 2.3 times as long, of an
    EfficientNet-B0 1.7 times (AMX, torch 2.14). A GPU uses tf32, see ``choose``.

    Args:
        net: the network that is to compute.
        instructions: of the processor, as ``torch.cpu.get_capabilities`` gives them, which is asked by default.
    """
    if device.type != "cpu" or any(map(_is_depthwise, net.modules())):
        return torch.float32
    if instructions is None:
        instructions = getattr(torch.cpu, "get_capabilities", dict)()  # missing in older releases
    fast = instructions.get("amx_bf16") or instructions.get("avx512_bf16")
    return torch.bfloat16 if fast else torch.float32


def _is_depthwise(module: nn.Module) -> bool:
    return isinstance(module, nn.Conv2d) and module.groups == module.in_channels > 1
