"""Robustness against projected gradient descent, an adversary who knows the model.

Madry, Makelov, Schmidt, Tsipras and Vladu, "Towards Deep Learning Models Resistant to Adversarial Attacks", ICLR 2018,
section 2.1, in the infinity norm, from a random start. The step is 2.5 epsilon / steps, which the paper takes for the
Euclidean norm. An image counts as lost if the model errs at any step, not at the last one alone as in the paper.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from core.data.imageset import as_float
from core.models.classifier import Classifier, frozen

STEPS = 10


def survivors(model: Classifier, images: Tensor, labels: Tensor, epsilon: float, seed: int = 0) -> Tensor:
    """Which images are answered rightly at the start and after every step of the attack, bool (n,), on the CPU.

    Args:
        images: (n, 3, h, w), uint8 or float in [0, 1], a batch that the model's device has room for. labels: (n,).
        epsilon: how far each value may move, in units of [0, 1].
        seed: of the start, which is the same for every model.
    """
    device = model.mean.device
    clean, wanted = as_float(images).to(device), labels.to(device)
    start = torch.rand(clean.shape, generator=torch.Generator().manual_seed(seed)).to(device)
    x = (clean + (2 * start - 1) * epsilon).clamp(0, 1)
    least, most = (clean - epsilon).clamp(min=0), (clean + epsilon).clamp(max=1)
    precision, model.precision = model.precision, torch.float32  # the sign of a small gradient is what counts
    try:
        with frozen(model):
            with torch.no_grad():
                alive = model(clean).argmax(1) == wanted
            for _ in range(STEPS):
                x.requires_grad_(True)
                logits = model(x)
                alive &= logits.detach().argmax(1) == wanted
                (gradient,) = torch.autograd.grad(F.cross_entropy(logits, wanted, reduction="sum"), x)
                x = (x.detach() + 2.5 * epsilon / STEPS * gradient.sign()).clamp(least, most)
            with torch.no_grad():
                alive &= model(x).argmax(1) == wanted
    finally:
        model.precision = precision
    return alive.cpu()
