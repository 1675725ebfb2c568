"""Batch-norm statistics of a network whose weights were changed by other means than training on clean images.

And whether a network has normalisation layers at all: where one follows, the size of a layer's weights changes nothing.
Whether they normalise by batches, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from core.models.classifier import Classifier

BATCH = 250  # images: enough for a layer's mean and variance, few enough for any memory

NORMALISING = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)


def normalised(model: Classifier) -> bool:
    """Whether any layer normalises what comes before it; one of a kind unknown tells by its running mean.

    Networks of today normalise everywhere or nowhere; one layer is taken for all. What is no layer is not seen.
    """
    layers = any(isinstance(layer, NORMALISING) for layer in model.modules())
    return layers or batch_normed(model)


def batch_normed(model: Classifier) -> bool:
    """Whether any layer normalises by its batch, whose noise keeps training from learning few images by heart."""
    layers = any(isinstance(layer, nn.modules.batchnorm._BatchNorm) for layer in model.modules())
    return layers or any(name.endswith("running_mean") for name, _ in model.named_buffers())


@contextmanager
def statistics_kept(model: Classifier) -> Iterator[None]:
    """Inside: batch-norm layers normalise as they do, but their running mean and variance stay."""
    layers = [layer for layer in model.modules() if isinstance(layer, nn.modules.batchnorm._BatchNorm)]
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.momentum = 0.0
    try:
        yield
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum


@torch.no_grad()
def take_anew(model: Classifier, images: Tensor) -> None:
    """Replaces the running mean and variance of every batch-norm layer by those of ``images``, in place.

    As for averaged weights (SWA, Izmailov et al., UAI 2018, section 3.2).

    Args:
        model: in evaluation mode, and left so; dropout stays off.
        images: clean, float in [0, 1], shape (n, 3, h, w).
    """
    layers = [layer for layer in model.modules() if isinstance(layer, nn.modules.batchnorm._BatchNorm)]
    layers = [layer for layer in layers if layer.track_running_stats]
    if not layers or len(images) < 2:
        return
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # the plain average over batches
        layer.train()
    parts = images.tensor_split(-(-len(images) // BATCH))  # of equal size: each counts alike
    for part in parts:
        model(part.contiguous(memory_format=torch.channels_last))
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
        layer.eval()
