"""The model-contrastive loss: the second of the paper's two stages (arXiv 2205.04411). ``core.scan`` is the first.

f0 are the penultimate features of the frozen victim, f those of the model being purified. x is a clean image, x_t the
same image with the reconstructed trigger; cos is the cosine similarity. The loss of one image is

    L = -log( e^{cos(f(x_t), f0(x)) / tau} / ( e^{cos(f(x_t), f0(x)) / tau} + e^{cos(f(x_t), f0(x_t)) / tau} ) )

The positive pair (f(x_t), f0(x)) pulls the triggered image towards its clean twin. The negative pair
(f(x_t), f0(x_t)) pushes it away from where the victim places it.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def contrast(triggered: Tensor, clean0: Tensor, triggered0: Tensor, tau: float) -> Tensor:
    """The loss, mean over the batch.

    Args:
        triggered: f(x_t), (n, d).
        clean0: f0(x), (n, d).
        triggered0: f0(x_t), (n, d).
        tau: temperature, above 0.
    """
    positive = F.cosine_similarity(triggered, clean0) / tau
    negative = F.cosine_similarity(triggered, triggered0) / tau
    # -log(e^p / (e^p + e^n)) = softplus(n - p), which cannot overflow
    return F.softplus(negative - positive).mean()
