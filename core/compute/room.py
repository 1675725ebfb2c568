"""How many images a network can take at once in the memory of the computer, measured before the work begins.

A graphics card says when its memory runs out, and the work goes on with less (``core.compute.memory``). On a CPU the
system ends the process instead, so there it is planned: what the layers put out for one image is counted, and doubled
for the gradients.
"""

from __future__ import annotations

import psutil
import torch
from torch import Tensor, nn

GRADIENTS = 2  # what is kept for the way back, and what comes back
SHARE = 0.5  # of the free memory: others work on the computer too


def bytes_of(model: nn.Module, image: Tensor) -> int:
    """What all layers put out for one image, bytes.

    Args:
        model: in any mode, which is left as it is; on the CPU.
        image: float in [0, 1], (1, 3, h, w).
    """
    from core.models.classifier import frozen

    total = 0

    def count(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal total
        if isinstance(output, Tensor):
            total += output.numel() * output.element_size()

    hooks = [module.register_forward_hook(count) for module in model.modules() if not list(module.children())]
    try:
        with frozen(model), torch.no_grad():
            model(image)
    finally:
        for hook in hooks:
            hook.remove()
    return total


def images_at_once(model: nn.Module, image: Tensor) -> int | None:
    """How many images go through there and back in the memory that is free; None where that need not be planned.

    Args:
        model, image: as ``bytes_of``; on any device.
    """
    if image.device.type != "cpu":
        return None
    needed = GRADIENTS * bytes_of(model, image)
    return max(1, int(SHARE * psutil.virtual_memory().available / max(1, needed)))
