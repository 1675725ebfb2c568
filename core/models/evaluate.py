"""Answers of a model over many images, in batches, on its own device."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch
from torch import Tensor

from core.compute.room import halved
from core.data.imageset import as_float
from core.models.classifier import Classifier
from core.models.fold import folded

GPU_BATCH = 512 * 64 * 64  # pixels: 2,048 images of 32 px, or 41 of 224 px
CPU_BATCH = 128 * 32 * 32  # pixels: what a layer makes of them fits the cache; with four times as many, a third slower


def look(
    model: Classifier, images: Tensor, transform: Callable[[Tensor], Tensor] | None = None, batch: int | None = None
) -> tuple[Tensor, Tensor]:
    """Penultimate features (n, d) and logits (n, classes) in evaluation mode.

    On a CPU the batches are shared out among threads, each of which does a batch from end to end alone: an image
    needs no other, and two cores that meet after every small layer wait for each other half of the time.

    Args:
        images: uint8 or float in [0, 1], shape (n, 3, h, w); moved batch by batch to the model's device.
        transform: applied to each float batch, for example a trigger; called in several threads at once.
        batch: images at a time (and thread); chosen by their size otherwise.
    """
    training = model.training
    model.eval()
    quick = folded(model)
    device = model.mean.device

    @torch.inference_mode()
    def one(part: Tensor) -> tuple[Tensor, Tensor]:
        x = as_float(part.to(device))
        # channels last, as the weights lie: 20 % less time on a CPU than letting each convolution reorder
        x = (transform(x) if transform else x).contiguous(memory_format=torch.channels_last)
        return quick.features_and_logits(x)

    cpu = device.type == "cpu"
    pixels = images[0, 0].numel() if len(images) else 1
    parts = images.split(batch or max(1, (CPU_BATCH if cpu else GPU_BATCH) // pixels))
    if cpu:
        with cores_apart() as cores, ThreadPoolExecutor(cores) as pool:
            seen = list(pool.map(one, parts) if cores > 1 and len(parts) > 1 else map(one, parts))
    else:
        seen = [result for part in parts for result in halved(one, part)]
    model.train(training)
    features, logits = zip(*seen, strict=True)
    return torch.cat(features), torch.cat(logits)


@contextmanager
def cores_apart() -> Iterator[int]:
    """Inside: one thread per torch operation; gives the number of threads that one would have had."""
    cores = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield cores
    finally:
        torch.set_num_threads(cores)


def answers(
    model: Classifier, images: Tensor, transform: Callable[[Tensor], Tensor] | None = None, batch: int | None = None
) -> Tensor:
    """Predicted class of each image, int64, shape (n,)."""
    return look(model, images, transform, batch)[1].argmax(1)
