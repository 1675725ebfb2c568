"""How long a scan is going to take, told before it begins: with many classes or large images that can be hours."""

from __future__ import annotations

import time

import torch
from torch import Tensor

from core.data.imageset import as_float
from core.models.classifier import Classifier, frozen
from core.models.fold import folded
from core.registry import loaded
from core.scan import FORMS
from core.scan.inversion import InversionSettings

LARGE_IMAGE = 128 * 128  # pixels, from which on the scan takes long whatever the number of classes
TIMED_IMAGES = 4  # images of the pass that is timed


def image_passes(classes: int, settings: InversionSettings) -> int:
    """Number of forward and backward passes of single images through the network, in a form of these settings."""
    main = min(classes, settings.main_classes)
    prescreen = settings.prescreen_steps * settings.prescreen_images * classes if classes > settings.main_classes else 0
    refinement = settings.refinement_steps * min(settings.refined_classes, main)
    return prescreen + settings.images * (settings.main_steps * main + refinement)


def expected_seconds(model: Classifier, images: Tensor) -> float | None:
    """Seconds that the scan takes at most; None for few classes and small images, where it is short.

    Args:
        model: the suspect, on its device; not changed.
        images: clean images, uint8 or float in [0, 1], (n, 3, h, w).
    """
    if model.num_classes <= InversionSettings.main_classes and images[0, 0].numel() < LARGE_IMAGE:
        return None
    device = model.mean.device
    timed = as_float(images[:TIMED_IMAGES].to(device))
    seconds = 0.0
    fused = folded(model)  # as the scan goes through it
    with frozen(fused):
        for _ in range(2):  # the first pass chooses kernels
            x = timed.clone().requires_grad_()
            begun = time.monotonic()
            (gradient,) = torch.autograd.grad(fused(x).sum(), x)
            gradient.cpu()  # waits for a GPU
            seconds = time.monotonic() - begun
    passes = sum(image_passes(model.num_classes, loaded(module).SETTINGS) for module in FORMS.values())
    return round(seconds / len(timed) * passes, 1)
