"""The model whose features the filters use, and those features."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.attacks.training import Epoch, TrainSettings, train
from core.data.imageset import ImageSet, as_float
from core.dataroom.filter import Material
from core.dataroom.trainset import TrainSet
from core.models import build
from core.models.classifier import Classifier

MIN_STEPS = 500  # of the training; with 150 to 234 the network had not yet learnt a blend (NOTES.md)
MAX_EPOCHS = 20  # to come to so many steps, in a small set
MIN_EPOCHS = 6  # in a large one
FEWEST_STEPS = 150  # in a set so small that they are more epochs still
MAX_SIDE = 8  # pixels; larger feature maps and images are downscaled to this
BATCH = 256  # images


def fresh(images: ImageSet, arch: str, seed: int, device: str = "cpu") -> Classifier:
    """An untrained network for these images."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = build(arch, images.num_classes)
    return Classifier(net, images.mean, images.std).to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def settings_of(images: int) -> TrainSettings:
    """A short, ordinary training for so many images."""
    batch = 128 if images >= 4000 else 64
    per_epoch = max(1, images // batch)
    epochs = max(MIN_EPOCHS, min(MAX_EPOCHS, -(-MIN_STEPS // per_epoch)), -(-FEWEST_STEPS // per_epoch))
    return TrainSettings(epochs=epochs, batch=min(batch, images), shift=1)


def trained(model: Classifier, x: Tensor, y: Tensor, seed: int) -> Iterator[Epoch]:
    """Trains a network on the whole set, possible poison included."""
    device = model.mean.device
    yield from train(model, x.to(device), y.to(device), settings_of(len(x)), seed)


def material(model: Classifier, room: TrainSet) -> Material:
    """The set and the trusted images, evaluated by the model."""
    features, earlier, maps = looked(model, room.x)
    trusted = looked(model, room.trusted[0]) if len(room.trusted[0]) else (features[:0], earlier[:0], maps[:0])
    looks = torch.cat([_small(as_float(part)).flatten(1) for part in room.x.split(BATCH)])
    return Material(
        features, earlier, maps, looks.numpy(), room.y.numpy(), room.images.num_classes, *trusted,
        room.trusted[1].numpy(),
    )  # fmt: skip


@torch.inference_mode()
def looked(model: Classifier, images: Tensor) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What the model sees in the images at three depths, as ``Material`` has it.

    Returns:
        Penultimate features, float64 (n, d); channel means of what flows into the last convolution, float64 (n, k); the
        last feature maps, float16 (n, c, places).
    """
    model.eval()
    device = model.mean.device
    features, earlier, maps = [], [], []
    with _last_maps(model) as last, _into_last_convolution(model) as into:
        for part in images.split(BATCH):
            last.clear()
            into.clear()
            seen = model.features(as_float(part.to(device)).contiguous(memory_format=torch.channels_last))
            features.append(seen.double().cpu())
            earlier.append((into[-1] if len(into) > 1 else seen[:, :0]).double().cpu())
            kept = _small(last[-1]) if last else seen[:, :, None, None]
            maps.append(kept.flatten(2).clamp(-6e4, 6e4).half().cpu())
    return torch.cat(features).numpy(), torch.cat(earlier).numpy(), torch.cat(maps).numpy()


@contextmanager
def _into_last_convolution(model: Classifier) -> Iterator[list[Tensor]]:
    """Inside, the list takes the channel means, (n, channels), of what flows into each convolution."""
    found: list[Tensor] = []

    def note(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        found.append(inputs[0].mean(dim=(2, 3)))

    hooks = [one.register_forward_pre_hook(note) for one in model.net.modules() if isinstance(one, nn.Conv2d)]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()


@contextmanager
def _last_maps(model: Classifier) -> Iterator[list[Tensor]]:
    """Inside, the list takes the output of every layer that gives maps with more than one place."""
    found: list[Tensor] = []

    def note(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if isinstance(output, Tensor) and output.dim() == 4 and output.shape[2] * output.shape[3] > 1:
            found[:] = [output]

    hooks = [module.register_forward_hook(note) for module in model.net.modules()]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()


def _small(images: Tensor) -> Tensor:
    side = (min(MAX_SIDE, images.shape[2]), min(MAX_SIDE, images.shape[3]))
    return images.float() if side == tuple(images.shape[2:]) else F.adaptive_avg_pool2d(images.float(), side)
