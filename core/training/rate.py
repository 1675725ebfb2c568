"""The learning rate that a network bears, found before a training begins.

How far a step moves what a network answers differs by orders of magnitude from one network to the next at the same
rate. So the rate is taken from the answers themselves, as in a trust region (Schulman et al., "Trust Region Policy
Optimization", ICML 2015, section 5): one plain step along the first batch's gradient may move the answers on clean
images by at most ``limit`` nats of divergence. For small steps the divergence grows with the square of the rate, so one
trial step tells.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from copy import deepcopy

import torch
import torch.nn.functional as F
from torch import Tensor

from core.models.classifier import Classifier
from core.models.evaluate import look

TRIAL = 0.25  # of the highest rate
IMAGES = 256  # clean ones that the answers are compared on


def bearable(model: Classifier, loss: Callable[[], Tensor], images: Tensor, most: float, limit: float) -> float:
    """The learning rate, at most ``most``.

    Args:
        model: at its start; left in evaluation mode and otherwise as it was, its batch-norm statistics too.
        loss: of the first batch, of ``model`` in the mode that it is to be trained in.
        images: clean, float, (n, 3, h, w).
        most: the highest rate there is to be.
        limit: nats, mean over the images.
    """
    state = {name: value.detach().clone() for name, value in model.net.state_dict().items()}
    before = look(model, images[:IMAGES])[1].log_softmax(1)
    model.zero_grad(set_to_none=True)
    loss().backward()
    model.eval()
    model.net.load_state_dict(state)
    moved = deepcopy(model)
    with torch.no_grad():
        for parameter, source in zip(moved.net.parameters(), model.net.parameters(), strict=True):
            if source.grad is not None:
                parameter.sub_(source.grad, alpha=TRIAL * most)
    model.zero_grad(set_to_none=True)
    after = look(moved, images[:IMAGES])[1].log_softmax(1)
    divergence = float(F.kl_div(after, before, log_target=True, reduction="batchmean"))
    if not math.isfinite(divergence):
        return TRIAL * most / 10
    return min(most, TRIAL * most * math.sqrt(limit / max(divergence, 1e-12)))
