"""Normalisation layers: whether a network has any, and batch-norm statistics taken on clean images.

Statistics are recomputed if the weights did not come from training on clean images: averaged or interpolated weights.
They are adopted, with the answers kept, before a victim is trained on clean images.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from core.models.capacity import halved
from core.models.classifier import Classifier

STATISTICS_BATCH = 250  # images: enough for a layer's mean and variance, few enough for any memory
STATISTICS_IMAGES = 1000  # clean images, at most, whose statistics a victim adopts before it is trained on them

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
    for part in _parts(images):
        model(part)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
        layer.eval()


@torch.no_grad()
def adopt_statistics(model: Classifier, images: Tensor) -> None:
    """Replaces the running mean and variance of batch-norm layers by those on ``images``, and keeps the answers.

    The weight and bias of each layer are scaled and shifted by what the statistics changed, so that the network in
    evaluation mode is the same function as before, and in training mode, on clean images, nearly that function. A
    victim's statistics are of poisoned images as well, above all in the channels that a backdoor uses (Zheng et al.,
    "Pre-activation Distributions Expose Backdoor Neurons", NeurIPS 2022). In training mode, without this, a batch of
    clean images is normalised by itself, and those channels are blown up: a PreActResNet-18 loses its accuracy before
    the first step (core/defenses/NOTES.md).

    Layers without weights of their own, or that no image reaches, stay as they are.

    Args:
        model: in evaluation mode, which stays.
        images: clean, float in [0, 1], shape (n, 3, h, w).
    """
    layers = [layer for layer in _with_statistics(model) if layer.affine]
    if not layers or len(images) < 2:
        return
    noted: dict[nn.Module, list[tuple[Tensor, Tensor]]] = {}

    def note(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        values = inputs[0].float().transpose(0, 1).flatten(1)
        noted.setdefault(layer, []).append((values.mean(1), values.var(1, correction=0)))

    def statistics(part: Tensor) -> dict[nn.Module, list[tuple[Tensor, Tensor]]]:
        noted.clear()  # of a pass for which a graphics card's memory was too small
        model(part)
        return dict(noted)

    hooks = [layer.register_forward_pre_hook(note) for layer in layers]
    try:
        passes = [found for part in _parts(images) for found in halved(statistics, part)]
    finally:
        for hook in hooks:
            hook.remove()
    for layer in layers:
        of_layer = [pair for found in passes for pair in found.get(layer, ())]
        if of_layer:
            means, variances = zip(*of_layer, strict=True)
            _with_other_statistics(layer, torch.stack(means).mean(0), torch.stack(variances).mean(0))


def _with_other_statistics(layer: nn.modules.batchnorm._BatchNorm, mean: Tensor, variance: Tensor) -> None:
    """Sets the running statistics of a layer; its weight and bias make up for the change."""
    assert layer.running_mean is not None
    deviation = (_variance(layer) + layer.eps).sqrt()
    layer.bias.add_(layer.weight * (mean - layer.running_mean) / deviation)
    layer.weight.mul_((variance + layer.eps).sqrt() / deviation)
    layer.running_mean.copy_(mean)
    _variance(layer).copy_(variance)


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


def _parts(images: Tensor) -> Iterator[Tensor]:
    """Batches of equal size, since each has the same weight in a mean."""
    for part in images.tensor_split(-(-len(images) // STATISTICS_BATCH)):
        yield part.contiguous(memory_format=torch.channels_last)


def _with_statistics(model: Classifier) -> list[nn.modules.batchnorm._BatchNorm]:
    layers = [layer for layer in model.modules() if isinstance(layer, nn.modules.batchnorm._BatchNorm)]
    return [layer for layer in layers if layer.track_running_stats]


def _variance(layer: nn.modules.batchnorm._BatchNorm) -> Tensor:
    assert layer.running_var is not None
    return layer.running_var
