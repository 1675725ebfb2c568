"""How long a scan is going to take, told before it begins: with many classes or large images that can be hours."""

from __future__ import annotations

import time

import torch
from torch import Tensor

from core.data.imageset import as_float
from core.models.classifier import Classifier, frozen
from core.scan.race import RaceSettings

FORMS = 3
LARGE = 128 * 128  # pixels of an image
TRIED = 4  # images that go there and back, for the time it takes


def passes(classes: int, settings: RaceSettings) -> int:
    """Images that go through the network and back, over all forms."""
    racing = min(classes, settings.heat_classes)
    heat = settings.heat_steps * settings.heat_images * classes if classes > settings.heat_classes else 0
    final = settings.final_steps * settings.finalists
    return FORMS * (heat + settings.images * (settings.race_steps * racing + final))


def outlook(model: Classifier, images: Tensor) -> float | None:
    """Seconds that all forms of the scan would take, at most; None for few classes and small images: it is short.

    Args:
        model: the suspect, on its device; not changed. images: clean, uint8 or float, (n, 3, h, w).
    """
    settings = RaceSettings()
    if model.num_classes <= settings.heat_classes and images[0, 0].numel() < LARGE:
        return None
    device = model.mean.device
    some = as_float(images[:TRIED].to(device))
    spent = 0.0
    with frozen(model):
        for _ in range(2):  # the first pass chooses kernels
            given = some.clone().requires_grad_()
            begun = time.monotonic()
            (found,) = torch.autograd.grad(model(given).sum(), given)
            found.cpu()
            spent = time.monotonic() - begun
    return round(spent / len(some) * passes(model.num_classes, settings), 1)
