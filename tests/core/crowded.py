"""A network on a graphics card whose memory holds so many images, without the card."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import Tensor, nn

from core.models.classifier import Classifier


def crowded(model: Classifier, most: int) -> tuple[Classifier, list[int]]:
    """A copy of the model, and the images of each pass that it will have taken, but for single ones.

    As a full card does, it refuses passes of more than ``most`` images; so do the copies that are made of it.
    """
    passes: list[int] = []

    def enter(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        if len(inputs[0]) > most:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        if len(inputs[0]) > 1:
            passes.append(len(inputs[0]))

    copy = deepcopy(model)
    copy.register_forward_pre_hook(enter)
    return copy, passes
