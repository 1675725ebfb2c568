"""How many images a network can take at once in the memory of the computer, measured before the work begins.

A graphics card says when its memory runs out, and the work goes on with less (``core.compute.memory``). On a CPU the
system ends the process instead, so there it is planned: what the layers put out for one image is counted, and doubled
for the gradients. Of the computer's free memory and that of the container, the lower counts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor, nn

from core.compute.free_memory import free_memory
from core.compute.memory import ran_out
from core.models.classifier import frozen

BACKWARD_FACTOR = 2  # times what the layers put out: it is kept for the backward pass, and its gradients are as large
FREE_SHARE = 0.5  # of the free memory that is planned with: other programs work on the computer too

Result = TypeVar("Result")


def halved(work: Callable[[Tensor], Result], images: Tensor) -> list[Result]:
    """What ``work`` makes of the images, in as many parts as a graphics card's memory asks for.

    Raises:
        Exception: of ``work``, also where the memory does not hold a single image.
    """
    try:
        return [work(images)]
    except Exception as error:
        if ran_out(error) != "GPU" or len(images) < 2:
            raise
    # outside of the handler, which would hold on to what the failed pass had made
    torch.cuda.empty_cache()
    half = len(images) // 2
    return [*halved(work, images[:half]), *halved(work, images[half:])]


def bytes_of(model: nn.Module, image: Tensor) -> int:
    """What all layers put out for one image, bytes.

    Args:
        model: in any mode, which is left as it is; on the CPU.
        image: float in [0, 1], (1, 3, h, w).
    """
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
    """How many images fit the free memory in one forward and backward pass; None on a GPU, which says when it is full.

    Args:
        model, image: as ``bytes_of``; on any device.
    """
    if image.device.type != "cpu":
        return None
    needed = BACKWARD_FACTOR * bytes_of(model, image)
    return max(1, int(FREE_SHARE * free_memory() / max(1, needed)))


def share_of_gpu(model: nn.Module, image: Tensor, images: int, memory: int) -> float:
    """What a model takes of a GPU: 0.5 if two such models fit it, planned as on a CPU; else 1.

    Args:
        model, image: as ``bytes_of``.
        images: in the largest pass.
        memory: bytes of the GPU, of which ``FREE_SHARE`` is planned with: CUDA itself takes some, too.
    """
    needed = BACKWARD_FACTOR * bytes_of(model, image) * images
    return 0.5 if 2 * needed <= FREE_SHARE * memory else 1.0
