"""Evaluates a model on many images, in batches, on its own device."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch
from torch import Tensor

from core.data.imageset import as_float
from core.models.capacity import halved
from core.models.classifier import Classifier
from core.models.fold import folded

GPU_BATCH = 512 * 64 * 64  # pixels: 2,048 images of 32 px, or 41 of 224 px
CPU_BATCH = 128 * 32 * 32  # pixels: a layer's activations then fit the cache; four times as many are a third slower
# Large images go through by eight, as far as so many pixels allow: two of 224 px take 1.3 times as long each.
CPU_IMAGES, MOST_PIXELS = 8, 8 * 256 * 256


def features_and_logits(
    model: Classifier, images: Tensor, transform: Callable[[Tensor], Tensor] | None = None, batch: int | None = None
) -> tuple[Tensor, Tensor]:
    """Penultimate features (n, d) and logits (n, classes) in evaluation mode.

    On a CPU each thread computes whole batches alone. Threads that share a batch would wait for each other after every
    layer, half of the time.

    Args:
        images: uint8 or float in [0, 1], shape (n, 3, h, w); moved batch by batch to the model's device.
        transform: applied to each float batch, for example a trigger; called in several threads at once.
        batch: images at a time (and thread); chosen by their size otherwise.
    """
    training = model.training
    model.eval()
    fused = folded(model)
    device = model.mean.device

    @torch.inference_mode()
    def one(part: Tensor) -> tuple[Tensor, Tensor]:
        x = as_float(part.to(device))
        # channels last, as the weights: 20 % faster on a CPU than reordering in each convolution
        x = (transform(x) if transform else x).contiguous(memory_format=torch.channels_last)
        return fused.features_and_logits(x)

    cpu = device.type == "cpu"
    pixels = images[0, 0].numel() if len(images) else 1
    at_once = max(CPU_BATCH // pixels, min(CPU_IMAGES, MOST_PIXELS // pixels)) if cpu else GPU_BATCH // pixels
    parts = images.split(batch or max(1, at_once))
    if cpu:
        with one_core_per_thread() as cores, ThreadPoolExecutor(cores) as pool:
            results = list(pool.map(one, parts) if cores > 1 and len(parts) > 1 else map(one, parts))
    else:
        results = [result for part in parts for result in halved(one, part)]
    model.train(training)
    features, logits = zip(*results, strict=True)
    return torch.cat(features), torch.cat(logits)


@contextmanager
def one_core_per_thread() -> Iterator[int]:
    """Inside, a torch operation uses one thread; gives the number of threads that it used before."""
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
    return features_and_logits(model, images, transform, batch)[1].argmax(1)
