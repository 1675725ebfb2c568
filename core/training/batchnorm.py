"""Normalisation layers: whether a network has any, and batch-norm statistics recomputed on clean images.

Statistics are recomputed if the weights did not come from training on clean images: averaged or interpolated weights.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from core.models.classifier import Classifier

STATISTICS_BATCH = 250  # images: enough for a layer's mean and variance, few enough for any memory

NORMALISING = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)


def has_normalisation(model: Classifier) -> bool:
    """Whether any layer normalises activations.

    One layer stands for all, since networks normalise everywhere or nowhere. A layer of an unknown class counts if it
    has a running mean. Normalisation that is no layer is not recognised.
    """
    layers = any(isinstance(layer, NORMALISING) for layer in model.modules())
    return layers or has_batch_norm(model)


def has_batch_norm(model: Classifier) -> bool:
    """Whether any layer normalises by its batch; the noise of batch statistics regularises training on few images."""
    layers = any(isinstance(layer, nn.modules.batchnorm._BatchNorm) for layer in model.modules())
    return layers or any(name.endswith("running_mean") for name, _ in model.named_buffers())


@contextmanager
def frozen_statistics(model: Classifier) -> Iterator[None]:
    """Inside, batch-norm layers do not update their running mean and variance; otherwise they work as before."""
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
def recompute_statistics(model: Classifier, images: Tensor) -> None:
    """Replaces the running mean and variance of every batch-norm layer by those on ``images``, in place.

    As in SWA, for averaged weights (Izmailov et al., UAI 2018, section 3.2).

    Args:
        model: in evaluation mode, which stays; dropout is off.
        images: clean, float in [0, 1], shape (n, 3, h, w).
    """
    layers = _with_statistics(model)
    if not layers or len(images) < 2:
        return
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # the plain mean over batches
        layer.train()
    parts = images.tensor_split(
        -(-len(images) // STATISTICS_BATCH)
    )  # of equal size, since each batch has the same weight
    for part in parts:
        model(part.contiguous(memory_format=torch.channels_last))
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
        layer.eval()


@torch.no_grad()
def moved_statistics(before: Classifier, after: Classifier) -> float:
    """How far the running statistics of two copies of a network are apart; 0 without batch norm.

    The root mean square, over all channels of all layers, of the logarithm of the ratio of their standard deviations,
    in octaves (factors of two).
    """
    moved = [
        ((_variance(one) + one.eps) / (_variance(other) + other.eps)).log2() / 2
        for one, other in zip(_with_statistics(before), _with_statistics(after), strict=True)
    ]
    return float(torch.cat(moved).square().mean().sqrt()) if moved else 0.0


def _with_statistics(model: Classifier) -> list[nn.modules.batchnorm._BatchNorm]:
    layers = [layer for layer in model.modules() if isinstance(layer, nn.modules.batchnorm._BatchNorm)]
    return [layer for layer in layers if layer.track_running_stats]


def _variance(layer: nn.modules.batchnorm._BatchNorm) -> Tensor:
    assert layer.running_var is not None
    return layer.running_var
