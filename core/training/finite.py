"""Ends a training that has diverged, before anything is made of its weights."""

from __future__ import annotations

import math
from collections.abc import Iterable

from torch import nn
from torch.nn.utils import get_total_norm

from core.errors import BadInput


def finite(net: nn.Module) -> bool:
    """Whether all weights and running statistics of ``net`` are finite."""
    values = [value.detach() for value in (*net.parameters(), *net.buffers()) if value.is_floating_point()]
    return math.isfinite(float(get_total_norm(values)))


def require_finite(losses: Iterable[float], net: nn.Module, step: int, rate: float) -> None:
    """Raises an error unless the losses of a step and the network after it are finite.

    Args:
        step: counted from 1.
        rate: the learning rate at the start; the error advises a tenth of it.

    Raises:
        BadInput: ``training_diverged``.
    """
    if all(map(math.isfinite, losses)) and finite(net):
        return
    lower = f"{rate / 10:.1g}"
    raise BadInput(
        "training_diverged",
        f"The training diverged at step {step}: its loss or its weights are no longer finite numbers. No purified "
        "model was written, and the original stays as it was; start again with a lower learning rate (on the command "
        f"line --set lr={lower}) or with another defence.",
        step=step, lr=lower,
    )  # fmt: skip
