"""Choice of the learning rate by a trust region on the network's answers.

At the same learning rate, one step changes the answers of different networks by amounts that differ by orders of
magnitude. So the change itself is limited, as in a trust region (Schulman et al., "Trust Region Policy Optimization",
ICML 2015, section 5): one plain gradient step on the first batch may change the answers on clean images by a KL
divergence of at most ``limit`` nats. For small steps the divergence grows with the square of the learning rate. So a
single trial step is enough to compute the rate.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from copy import deepcopy

import torch
import torch.nn.functional as F
from torch import Tensor

from core.models.classifier import Classifier
from core.models.evaluate import features_and_logits

TRIAL_SHARE = 0.25  # learning rate of the trial step, as a share of the highest rate
COMPARED_IMAGES = 256  # clean images on which the answers are compared


def trust_region_rate(
    model: Classifier, loss: Callable[[], Tensor], images: Tensor, highest: float, limit: float
) -> float:
    """The learning rate whose first step changes the answers by ``limit``, or ``highest`` if that is lower.

    Args:
        model: before the training, in the mode in which ``loss`` is to be computed. It is left in evaluation mode, and
            otherwise unchanged, batch-norm statistics included.
        loss: of the first batch, computed with ``model``.
        images: clean, float, (n, 3, h, w).
        highest: the highest learning rate allowed.
        limit: KL divergence, nats, mean over the images.
    """
    state = {name: value.detach().clone() for name, value in model.net.state_dict().items()}
    before = features_and_logits(model, images[:COMPARED_IMAGES])[1].log_softmax(1)
    model.zero_grad(set_to_none=True)
    loss().backward()
    model.eval()
    model.net.load_state_dict(state)
    stepped = deepcopy(model)
    with torch.no_grad():
        for parameter, source in zip(stepped.net.parameters(), model.net.parameters(), strict=True):
            if source.grad is not None:
                parameter.sub_(source.grad, alpha=TRIAL_SHARE * highest)
    model.zero_grad(set_to_none=True)
    after = features_and_logits(stepped, images[:COMPARED_IMAGES])[1].log_softmax(1)
    divergence = float(F.kl_div(after, before, log_target=True, reduction="batchmean"))
    if not math.isfinite(divergence):
        return TRIAL_SHARE * highest / 10
    return min(highest, TRIAL_SHARE * highest * math.sqrt(limit / max(divergence, 1e-12)))
