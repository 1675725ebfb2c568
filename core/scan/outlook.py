"""How long a scan is going to take, told before it begins: with many classes or large images that can be hours."""

from __future__ import annotations

import time

import torch
from torch import Tensor

from core.data.imageset import as_float
from core.models.classifier import Classifier, frozen
from core.scan import FORMS
from core.scan.inversion import InversionSettings

LARGE = 128 * 128  # pixels of an image
TRIED = 4  # images that go there and back, for the time it takes


def passes(classes: int, settings: InversionSettings) -> int:
    """Images that go through the network and back, over all forms."""
    main = min(classes, settings.main_classes)
    prescreen = settings.prescreen_steps * settings.prescreen_images * classes if classes > settings.main_classes else 0
    refinement = settings.refinement_steps * settings.refined_classes
    return len(FORMS) * (prescreen + settings.images * (settings.main_steps * main + refinement))


def outlook(model: Classifier, images: Tensor) -> float | None:
    """Seconds that all forms of the scan would take, at most; None for few classes and small images: it is short.

    Args:
        model: the suspect, on its device; not changed. images: clean, uint8 or float, (n, 3, h, w).
    """
    settings = InversionSettings()
    if model.num_classes <= settings.main_classes and images[0, 0].numel() < LARGE:
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
